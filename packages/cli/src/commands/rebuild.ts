import { duration, parseTime } from "@fetch-image/core";
import type { ProjectionProgress } from "@fetch-image/engine";
import type { Command } from "../command.ts";
import { openProjector, openStores } from "../open-stores.ts";
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
    const { facts, skipped } = await projector.rebuild(({ facts: done, time }: ProjectionProgress) => {
      const behind = time === undefined ? "" : `, those of ${duration(Math.max(0, Date.now() - parseTime(time)))} ago`;
      terminal.progress(`rebuilding: ${done} facts so far${behind}`);
    });
    terminal.progress("");
    const ms = Math.round(performance.now() - started);
    if (json) terminal.out(`${JSON.stringify({ facts, ...(skipped > 0 ? { skipped } : {}), ms })}\n`);
    else terminal.out(`rebuilt the read model from ${facts} facts in ${ms} ms\n`);
    if (skipped > 0 && !json) terminal.out(`passed over ${skipped} facts of a newer version\n`);
    return exitStatus.done;
  },
};
