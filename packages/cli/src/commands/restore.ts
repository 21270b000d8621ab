import { resolve } from "node:path";
import { FetchImageError } from "@fetch-image/core";
import type { Command } from "../command.ts";
import { exitStatus } from "../exit-status.ts";
import { openProjector, openStores } from "../open-stores.ts";
import { storeSettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "--from DIR [--json]",
  about: `Puts the facts of archived builds back into the event store, each as it was, and projects them. Every file of the
archive is verified before the first fact is stored, and a damaged one refused by its name. What is in the store already is
left, so the command may be interrupted and run again.`,
  positionals: { min: 0, max: 0 },
  options: [{ name: "from", value: "DIR", does: "the archive, a directory that fetch-image archive has written" }],
  settings: ["storePatience", ...storeSettings],
  examples: ["fetch-image restore --from /backup/fetch-image"],
  async run({ options, settings, json, terminal, logger, signal, cwd }) {
    const from = options.text("from");
    if (from === undefined || from === "") {
      throw new FetchImageError("FI_USAGE", {
        message: "fetch-image restore: --from is missing",
        hint: "Write `fetch-image restore --from DIR`.",
      });
    }
    const directory = resolve(cwd, from);
    const started = performance.now();
    await using stores = await openStores(settings, { access: "write", logger });
    const { restoreBuilds } = await import("@fetch-image/store/archive");
    const summary = await restoreBuilds({
      eventLog: stores.eventLog,
      directory,
      signal,
      patienceMs: settings.values.storePatience,
      onProgress: ({ doing, file, builds }) => terminal.progress(`${doing} ${file}: ${builds} builds so far`),
    });
    await (await openProjector(stores, logger)).catchUp(({ facts }) => terminal.progress(`projecting: ${facts} facts`));
    terminal.progress("");
    const ms = Math.round(performance.now() - started);
    const { builds, facts, restored } = summary;
    if (json) terminal.out(`${JSON.stringify({ directory, ...summary, ms })}\n`);
    else {
      terminal.out(
        `restored ${restored} facts; ${directory} holds ${facts} of ${builds} builds, all of them stored now\n`,
      );
    }
    return exitStatus.done;
  },
};
