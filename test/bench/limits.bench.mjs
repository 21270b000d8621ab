// What stands in the way of more fetches a second: our engine on PostgreSQL, the only node, beside itself with one thing else
// about it. Each is a contestant as those of `workflows` are, and all are compared to the engine as it is.
import { contest } from "./support/contest/contest.mjs";
import { howFromEnvironment } from "./support/contest/how.mjs";
import { report } from "./support/contest/report.mjs";

export const name = "limits";

/** @returns {import("./support/contest/arena.mjs").Contestant} */
const otherwise = (name, options, flags = []) => ({
  name,
  module: "one-thing-else.mjs",
  store: "postgres",
  options: { soleNode: true, ...options },
  flags,
});

const contestants = [
  otherwise("as-it-is", {}),
  // No commit waits for the disk: nothing is durable.
  otherwise("unsynced", { isUnsynced: true }),
  // Nothing keeps an id from standing twice.
  otherwise("no-id-index", { dropsIdIndex: true }),
  // What is in flight outlives fewer collections, for more memory.
  otherwise("young-of-32-mib", {}, ["--max-semi-space-size=32"]),
  // The host has the others wait.
  otherwise("64-at-most", { atMost: 64 }),
  // Eight steps of a build begin together: their facts are appended together.
  otherwise("builds-of-eight", { fetchesOfBuild: 8 }),
];

export async function run(emit) {
  const { chosen, how } = howFromEnvironment(contestants);
  const results = await contest(chosen, how);
  report(emit, results, { names: chosen.map(({ name }) => name), inFlight: how.inFlight });
}
