// The engine's cold fetch beside the same three durable steps on other engines, in closed loops on one PostgreSQL server
// with fsync on, each in a process of its own; the ratios are to hand-written SQL. Then how long each takes to go on after
// a crash. Installs those engines, into a folder that nothing else uses.
import { installPeers } from "./peers/install.mjs";
import { contest } from "./support/contest/contest.mjs";
import { howFromEnvironment } from "./support/contest/how.mjs";
import { ours } from "./support/contest/ours.mjs";
import { measureRecovery } from "./support/contest/recovery.mjs";
import { report } from "./support/contest/report.mjs";

export const name = "peers";

const peer = (file) => ({ module: `../../../peers/${file}.mjs`, store: /** @type {const} */ ("postgres") });

/** @type {import("./support/contest/arena.mjs").Contestant[]} */
const contestants = [
  ...ours.filter(({ name }) => ["sql-steps", "sql-group-commit", "fetch-image"].includes(name)),
  { name: "dbos", ...peer("dbos") },
  { name: "restate", ...peer("restate") },
  { name: "restate-2-partitions", ...peer("restate"), options: { partitions: 2 } },
  { name: "emmett", ...peer("emmett") },
  { name: "graphile-worker", ...peer("graphile-worker") },
];

export async function run(emit) {
  const { chosen, how } = howFromEnvironment(contestants);
  await installPeers();
  const results = await contest(chosen, how);
  report(emit, results, { names: chosen.map(({ name }) => name), inFlight: how.inFlight });
  await measureRecovery(emit, chosen, how);
}
