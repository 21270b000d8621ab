import { createHash } from "node:crypto";
import {
  buildStreamPrefix,
  decodeBuildFact,
  FetchImageError,
  isFinished,
  parseTime,
  type RecordedBuildFact,
  type RecordedFact,
  replayBuild,
} from "@fetch-image/core/fetching";
import { factText } from "../copy/tally.ts";

/** What tells a build's stream from any other one. */
export interface BuildDigest {
  readonly buildId: string;
  readonly facts: number;
  readonly lastRevision: bigint;
  /** Over every fact, as `copyEvents` has it. */
  readonly sha256: string;
}

export function digestOf(facts: readonly RecordedFact[]): BuildDigest {
  const hash = createHash("sha256");
  for (const fact of facts) hash.update(factText(fact)).update("\n");
  const last = facts.at(-1);
  return {
    buildId: (last?.stream ?? "").slice(buildStreamPrefix.length),
    facts: facts.length,
    lastRevision: last?.revision ?? -1n,
    sha256: hash.digest("hex"),
  };
}

/**
 * Whether nothing more is to come of a build: each of its fetches has ended, so has the build where the scheduler tells of
 * it, and the last fact is from before a time. Of a build whose facts this version cannot fold, nobody can say so.
 */
export function isOver(facts: readonly RecordedFact[], before: number): boolean {
  const known: RecordedBuildFact[] = [];
  try {
    for (const recorded of facts) {
      const decoded = decodeBuildFact(recorded);
      if (!decoded.known) return false;
      known.push(decoded.fact);
    }
    const last = known.at(-1);
    if (last === undefined || parseTime(last.metadata.time) >= before) return false;
    const { fetches, events, awaited } = replayBuild(known);
    const isRunning = events.keys.size > 0 && events.ended === null;
    return !isRunning && awaited.length === 0 && [...fetches.values()].every((fetch) => isFinished(fetch));
  } catch (error) {
    if (FetchImageError.is(error)) return false;
    throw error;
  }
}
