import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { BuildFactData } from "../facts/build-facts.ts";
import type { FactOf, RecordedBuildFact } from "../facts/facts.ts";
import { parseTime } from "../facts/time.ts";
import type { FetchInput } from "./codec.ts";
import { begin, type FetchOutput, type FetchState, step } from "./step.ts";

/** A build, folded from its stream. */
export interface BuildState {
  readonly opened: BuildFactData<"BuildOpened"> | null;
  readonly plan: BuildFactData<"BuildPlanned">["plan"] | null;
  /** The node that writes: who opened the build, or adopted it last. */
  readonly writer: string | null;
  readonly fetches: ReadonlyMap<string, FetchState>;
  /** The id of the last fact of each fetch that moved it. */
  readonly causes: ReadonlyMap<string, string>;
  /** Milliseconds since the epoch; of the last fact. */
  readonly time: number;
  /** Of the last fact; undefined for a stream that does not exist. */
  readonly revision: bigint | undefined;
}

export const noBuild: BuildState = {
  opened: null,
  plan: null,
  writer: null,
  fetches: new Map(),
  causes: new Map(),
  time: 0,
  revision: undefined,
};

/** What one fact did. */
export interface Replayed {
  readonly fact: RecordedBuildFact;
  /** The fetch's state after the fact; undefined for facts of the build itself. */
  readonly after: FetchState | undefined;
  /** Facts that this one caused, which must follow it in the stream. */
  readonly says: readonly FetchOutput[];
}

/**
 * Folds a build's facts, in the order of their revisions. Runs nothing.
 *
 * Strict: every stored fact must be one that the machine takes in its state, and what the machine says must stand behind
 * it as stored. Throws `FI_HISTORY_CONTRADICTORY` otherwise, naming stream and revision.
 */
export function replayBuild(
  facts: Iterable<RecordedBuildFact>,
  onFact?: (replayed: Replayed) => void,
  from: BuildState = noBuild,
): BuildState {
  const fetches = new Map(from.fetches);
  const causes = new Map(from.causes);
  let { opened, plan, writer, time, revision } = from;
  const expected: FetchOutput[] = [];

  for (const fact of facts) {
    const at = parseTime(fact.metadata.time);
    time = at;
    revision = fact.revision;
    let after: FetchState | undefined;
    let says: readonly FetchOutput[] = [];
    if (expected.length > 0 && !isOutput(fact)) throw contradiction(fact, expected[0]);
    switch (fact.type) {
      case "BuildOpened":
        opened = fact.data;
        writer = fact.metadata.node;
        break;
      case "BuildAdopted":
        writer = fact.metadata.node;
        break;
      case "OutputWritten":
        break;
      case "BuildPlanned":
        plan = fact.data.plan;
        break;
      case "ImageCheck":
      case "ImageGet":
      case "ImageVersionResolved":
      case "ImageShortCircuited":
      case "FetchFailed": {
        const said = expected.shift();
        if (said === undefined || !same(said, fact)) throw contradiction(fact, said);
        after = fetches.get(fact.data.fetchId);
        break;
      }
      case "FetchRequested": {
        if (fetches.has(fact.data.fetchId)) throw contradiction(fact, undefined);
        const first = begin(fact.data, at);
        ({ state: after, says } = first);
        break;
      }
      case "PolicyDecided":
      case "PolicyUnanswered":
      case "CheckJoined":
      case "ImageChecked":
      case "ImageCheckFailed":
      case "TimerFired":
      case "ArtifactFetched":
      case "ArtifactFetchFailed":
      case "FetchAborted": {
        const before = fetches.get(fact.data.fetchId);
        const next = before === undefined ? undefined : step(before, fact as FetchInput, at);
        if (next === undefined) throw contradiction(fact, undefined);
        ({ state: after, says } = next);
        break;
      }
    }
    if (after !== undefined && "fetchId" in fact.data) {
      fetches.set(fact.data.fetchId, after);
      if (!isOutput(fact)) causes.set(fact.data.fetchId, fact.id);
      expected.push(...says);
    }
    onFact?.({ fact, after, says });
  }
  return { opened, plan, writer, fetches, causes, time, revision };
}

const outputs: ReadonlySet<string> = new Set<FetchOutput["type"]>([
  "ImageCheck",
  "ImageGet",
  "ImageVersionResolved",
  "ImageShortCircuited",
  "FetchFailed",
]);

function isOutput(fact: RecordedBuildFact): boolean {
  return outputs.has(fact.type);
}

function same(said: FetchOutput, stored: FactOf<FetchOutput["type"]>): boolean {
  return said.type === stored.type && canonical(said.data) === canonical(stored.data);
}

/** JSON with sorted keys: what a store keeps may come back in another order of fields. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function contradiction(fact: RecordedBuildFact, expected: FetchOutput | undefined): FetchImageError {
  const why = expected === undefined ? "the machine does not take it there" : `${expected.type} must stand there`;
  return new FetchImageError("FI_HISTORY_CONTRADICTORY", {
    message: `${fact.type} at ${fact.stream}@${fact.revision} contradicts the facts before it: ${why}`,
    details: { stream: fact.stream, revision: String(fact.revision), type: fact.type },
  });
}
