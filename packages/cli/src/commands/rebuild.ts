import type { ProjectionProgress } from "@fetch-image/engine";
import type { Command } from "../command.ts";
import { openProjector, openStores } from "../compose.ts";
import { exitStatus } from "../exit-status.ts";
import { storeSettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "[--json]",
  about: `Empties the read model and makes it anew from every fact in the event store. The facts are not touched, and what
comes out is what was there, unless the read model was damaged or is from an older version.`,
  positionals: { min: 0, max: 0 },
  options: [],
  settings: storeSettings,
  examples: ["fetch-image rebuild"],
  async run({ settings, json, terminal, logger }) {
    const started = performance.now();
    await using stores = await openStores(settings, { access: "read", logger });
    const projector = await openProjector(stores, logger);
    const { facts } = await projector.rebuild((progress: ProjectionProgress) => {
      terminal.progress(`rebuilding: ${progress.facts} facts so far`);
    });
    terminal.progress("");
    const ms = Math.round(performance.now() - started);
    if (json) terminal.out(`${JSON.stringify({ facts, ms })}\n`);
    else terminal.out(`rebuilt the read model from ${facts} facts in ${ms} ms\n`);
    return exitStatus.done;
  },
};
