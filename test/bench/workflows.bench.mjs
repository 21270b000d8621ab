// The engine's cold fetch beside the same three durable steps in hand-written SQL: workflows a second, latencies, CPU of
// worker and server, and memory, in closed loops. Each contestant has a process and a database of its own, on one
// PostgreSQL server with fsync on; rounds are interleaved, and every store is counted in the end.
import { contest } from "./support/contest/contest.mjs";
import { howFromEnvironment } from "./support/contest/how.mjs";
import { ours } from "./support/contest/ours.mjs";
import { report } from "./support/contest/report.mjs";

export const name = "workflows";

export async function run(emit) {
  const { chosen, how } = howFromEnvironment(ours);
  const results = await contest(chosen, how);
  report(emit, results, { names: chosen.map(({ name }) => name), inFlight: how.inFlight });
}
