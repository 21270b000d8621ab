import { createHash } from "node:crypto";
import {
  advanceStream,
  type BuildFactData,
  decodeBuildFact,
  type EventLog,
  noLog,
  buildStream,
} from "@fetch-image/core/fetching";

/** Facts read at once. */
const page = 512;

/**
 * What a build's log hashes to, rendered from the facts that are stored; undefined where the build has not ended. Facts
 * behind the last status say nothing in the log: whoever seals it, whenever, keeps the same.
 */
export async function logSeal(
  eventLog: EventLog,
  buildId: string,
): Promise<BuildFactData<"BuildLogSealed"> | undefined> {
  const hash = createHash("sha256");
  let log = noLog;
  for (let from = 0n; ;) {
    const facts = await eventLog.read(buildStream(buildId), { from, limit: page });
    for (const recorded of facts) {
      const next = advanceStream(log, decodeBuildFact(recorded).fact);
      hash.update(next.text);
      log = next.log;
      from = recorded.revision + 1n;
      if (log.ended !== null) {
        return { buildId, renderer: log.renderer ?? "1", events: log.nextId, sha256: hash.digest("hex") };
      }
    }
    if (facts.length < page) return undefined;
  }
}
