import { duration, parseTime } from "@fetch-image/core";
import type { ProjectionProgress } from "@fetch-image/engine";
import type { Command } from "../command.ts";
import { openProjector, openStores } from "../open-stores.ts";
import { exitStatus } from "../exit-status.ts";
import { storeSettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "[--json]",
  about: `Empties the read model and makes it anew from every fact in the event store. The facts are not touched, and what
comes out is what was there, unless the read model was damaged or is from an older version: facts of builds and of scopes
count, those of registries that failed and of shadows are not projected. What is known of builds whose facts were removed
cannot be made anew, and is kept as it is; days that were dropped from the audit stay dropped.`,
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
    const kept = await stores.readModel.builds({ stored: false, limit: manyBuilds });
    const dropped = await stores.readModel.droppedBefore();
    const ms = Math.round(performance.now() - started);
    const notMade = { ...(kept.length > 0 ? { kept: kept.length } : {}), ...(dropped && { droppedBefore: dropped }) };
    if (json) terminal.out(`${JSON.stringify({ facts, ...(skipped > 0 ? { skipped } : {}), ...notMade, ms })}\n`);
    else terminal.out(`rebuilt the read model from ${facts} facts of builds and scopes in ${ms} ms\n`);
    if (skipped > 0 && !json) terminal.out(`passed over ${skipped} facts of a newer version\n`);
    if (kept.length > 0 && !json) {
      const many = kept.length === manyBuilds ? `${manyBuilds} builds or more` : `${kept.length} builds`;
      terminal.out(`kept as it is what was known of ${many}: their facts were removed\n`);
    }
    if (dropped !== undefined && !json) terminal.out(`days before ${dropped} were dropped, and are not made again\n`);
    return exitStatus.done;
  },
};

/** More are not counted. */
const manyBuilds = 1000;
