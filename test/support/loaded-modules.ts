import { existsSync, readFileSync } from "node:fs";
import type { CommandOptions, Ended } from "./cli.ts";
import { scratch } from "./scratch.ts";

/** Runs the built command with the options given, and tells the URL of every module that it loaded. */
export async function loadedModules(
  run: (options: CommandOptions) => Promise<Ended>,
): Promise<{ readonly loaded: readonly string[]; readonly ended: Ended }> {
  using place = scratch("modules");
  const note = place.path("modules");
  const ended = await run({
    nodeOptions: ["--import", new URL("note-modules.mjs", import.meta.url).href],
    env: { NOTE_MODULES_IN: note },
  });
  return { ended, loaded: existsSync(note) ? readFileSync(note, "utf8").split("\n") : [] };
}
