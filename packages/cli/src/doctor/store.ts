import { existsSync } from "node:fs";
import { duration, type ReadModel } from "@fetch-image/core";
import type { CommandContext } from "../command.ts";
import { openProjector, openStores } from "../open-stores.ts";
import { type Finding, problem } from "./finding.ts";

/** Opens the store as a reader does, and looks at what is in it. A data directory that is not there is not made. */
export async function storeFindings({
  settings,
  logger,
}: Pick<CommandContext, "settings" | "logger">): Promise<readonly Finding[]> {
  const { data, databaseUrl, eventStore } = settings.values;
  if (databaseUrl === undefined && eventStore === "postgres" && !existsSync(data)) {
    return [{ is: "ok", what: "store", says: `${data} is not there yet; the first run makes it` }];
  }
  try {
    await using stores = await openStores(settings, { access: "read", logger });
    const { readModel, where } = stores;
    const { facts, more, oldestAgeMs = 0 } = await (await openProjector(stores, logger)).lag({ countUpTo: 100_000 });
    const builds = await readModel.builds({ limit: 1 });
    const newest = builds[0] === undefined ? "no builds yet" : `newest build ${builds[0].buildId}`;
    const holder = await stores.holder();
    const held = holder === undefined ? "" : `, written by process ${holder.pid} now`;
    const found: Finding = { is: "ok", what: "store", says: `${where}, ${newest}${held}` };
    const old = await oldFacts(readModel);
    if (facts === 0) return [found, ...old];
    const number = more ? `more than ${facts}` : String(facts);
    const says = `the read model is ${number} facts behind, the oldest of them ${duration(oldestAgeMs)} old`;
    return [
      found,
      ...old,
      { is: "warning", what: "store", says, fix: "The next run catches up; `fetch-image rebuild` does so now." },
    ];
  } catch (error) {
    return [problem("store", error)];
  }
}

const oldAfterMs = 90 * 24 * 60 * 60 * 1000;
const manyBuilds = 1000;

/** Facts of builds are never removed by themselves: where they only grow, somebody should know. */
async function oldFacts(readModel: ReadModel): Promise<readonly Finding[]> {
  const until = new Date(Date.now() - oldAfterMs).toISOString();
  const builds = await readModel.builds({ until, stored: true, limit: manyBuilds });
  if (builds.length < manyBuilds) return [];
  const says = `the facts of ${manyBuilds} builds or more are older than ${duration(oldAfterMs)}, and nothing removes them`;
  const fix =
    "`fetch-image archive --before 2160h --to DIR --expire` keeps them in files; what builds ran stays known.";
  return [{ is: "warning", what: "store", says, fix }];
}
