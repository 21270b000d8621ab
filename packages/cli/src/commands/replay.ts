import {
  type FetchState,
  formatTime,
  type RecordedBuildFact,
  renderFact,
  type Replayed,
  stateName,
  type UnknownFact,
} from "@fetch-image/core";
import { buildFacts, replayAsFar } from "../build-history.ts";
import type { Command } from "../command.ts";
import { openStores } from "../open-stores.ts";
import { exitStatus } from "../exit-status.ts";
import { storeSettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "BUILD [--json]",
  about: `Prints every fact of a build in order: what it says, the state of its fetch after it, and what it caused. Runs
nothing again. With --json a line for each fact.`,
  positionals: { min: 1, max: 1 },
  options: [],
  settings: storeSettings,
  examples: ["fetch-image replay 1", "fetch-image replay 1 --json | jq -c '[.type, .state]'"],
  async run({ positionals: [build = ""], settings, json, terminal, logger }) {
    await using stores = await openStores(settings, { access: "read", logger });
    const facts = await buildFacts(stores, build);
    const replayed = replayAsFar(facts, logger);
    for (const fact of facts) {
      const one = replayed.get(fact.revision);
      const line = json
        ? JSON.stringify(factJson(fact, one))
        : renderFact(fact, { after: one?.after, says: one?.says ?? [], color: terminal.outColor });
      terminal.out(`${line}\n`);
    }
    return exitStatus.done;
  },
};

function factJson(fact: RecordedBuildFact | UnknownFact, replayed: Replayed | undefined) {
  const { revision, id, type, data, metadata } = fact;
  const after = replayed?.after;
  return {
    revision: Number(revision),
    id,
    type,
    data,
    metadata,
    ...(after === undefined ? {} : { state: stateName(after), ...pending(after) }),
    caused: (replayed?.says ?? []).map((said) => said.type),
  };
}

/** What the fetch owes and waits for, in its state. */
function pending({ owed, timer }: FetchState) {
  return {
    ...(owed === null ? {} : { owes: owed.effect }),
    ...(timer === null ? {} : { timer: { name: timer.name, dueAt: formatTime(timer.dueAt) } }),
  };
}
