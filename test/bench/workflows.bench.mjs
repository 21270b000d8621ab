// The engine's cold fetch beside the same three durable steps in hand-written SQL: workflows a second, latencies, CPU of
// worker and server, and memory, in closed loops. Each contestant has a process and a database of its own, on one
// PostgreSQL server with fsync on; rounds are interleaved, and every store is counted in the end.
import { contest } from "./support/contest/contest.mjs";
import { howFromEnvironment } from "./support/contest/how.mjs";
import { report } from "./support/contest/report.mjs";

export const name = "workflows";

const fetchImage = { module: "fetch-image.mjs" };

/** @type {import("./support/contest/arena.mjs").Contestant[]} */
const contestants = [
  { name: "sql-steps", module: "sql-steps.mjs", store: "postgres" },
  { name: "sql-group-commit", module: "sql-group-commit.mjs", store: "postgres" },
  // Several nodes share a server: the claim is acknowledged before the HEAD.
  { name: "fetch-image", ...fetchImage, store: "postgres" },
  // A lone node has the HEAD in flight beside the claim.
  { name: "fetch-image-sole", ...fetchImage, store: "postgres", options: { soleNode: true } },
  { name: "fetch-image-pglite", ...fetchImage, store: "pglite", options: { soleNode: true } },
  { name: "fetch-image-eventstoredb", ...fetchImage, store: "eventstoredb" },
];

export async function run(emit) {
  const { chosen, how } = howFromEnvironment(contestants);
  const results = await contest(chosen, how);
  report(emit, results, { names: chosen.map(({ name }) => name), inFlight: how.inFlight });
}
