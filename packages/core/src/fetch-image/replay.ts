import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { BuildFactData } from "../facts/build-facts.ts";
import type { FactOf, RecordedBuildFact } from "../facts/facts.ts";
import { parseTime } from "../facts/time.ts";
import { isSameJson } from "../same-json.ts";
import { begin, type FetchOutput, type FetchState, stateName, step } from "./step.ts";

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
  /** The scheduler's own events. */
  readonly events: SavedEvents;
  /** What tasks run in whose image is an artifact, by the task's plan. */
  readonly artifactImages: ReadonlyMap<string, BuildFactData<"ArtifactImageResolved">>;
  /** What was told of what ran, each by {@link ranKey}. */
  readonly ran: ReadonlySet<string>;
  /** What the last facts caused and must follow them: empty wherever an append ends, since appends are taken whole. */
  readonly awaited: readonly FetchOutput[];
}

export interface SavedEvents {
  /** Which event each of the scheduler's keys stands for. */
  readonly keys: ReadonlyMap<string, string>;
  /** How the build ended, by its last status. */
  readonly ended: string | null;
  /** Whether the log's hash is kept. */
  readonly sealed: boolean;
}

const noEvents: SavedEvents = { keys: new Map(), ended: null, sealed: false };

export const noBuild: BuildState = {
  opened: null,
  plan: null,
  writer: null,
  fetches: new Map(),
  causes: new Map(),
  time: 0,
  revision: undefined,
  events: noEvents,
  artifactImages: new Map(),
  ran: new Set(),
  awaited: [],
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
 * Folds a build's facts, in the order of their revisions; `from` goes on where an earlier fold ended, anywhere in the
 * stream. Runs nothing.
 *
 * Strict: the build's opening comes first and once, every fact of a fetch must be one that the machine takes in its
 * state, and what the machine says must stand behind it as stored. Throws `FI_HISTORY_CONTRADICTORY` otherwise, naming
 * stream and revision. Revisions only have to grow: `decodeBuildFact` has facts of newer versions left out.
 */
export function replayBuild(
  facts: Iterable<RecordedBuildFact>,
  onFact?: (replayed: Replayed) => void,
  from: BuildState = noBuild,
): BuildState {
  const fetches = new Map(from.fetches);
  const causes = new Map(from.causes);
  let { opened, plan, writer, time, revision } = from;
  let { ended, sealed } = from.events;
  const saved: [key: string, event: string][] = [];
  const artifactImages = new Map(from.artifactImages);
  const ran: string[] = [];
  const awaited = [...from.awaited];

  for (const fact of facts) {
    if (revision !== undefined && fact.revision <= revision) throw contradiction(fact, "it was read after a later one");
    if ((fact.type === "BuildOpened") !== (opened === null)) {
      throw contradiction(fact, opened === null ? "the build is not open yet" : "the build is open already");
    }
    if (awaited[0] !== undefined && !isOutput(fact)) throw contradiction(fact, mustStandThere(awaited[0]));
    const at = parseTime(fact.metadata.time);
    time = at;
    revision = fact.revision;
    let after: FetchState | undefined;
    let says: readonly FetchOutput[] = [];
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
      case "BuildEventSaved": {
        const { key, event, data } = fact.data;
        saved.push([key, event]);
        const { status } = data;
        if (event === "status" && typeof status === "string" && status !== "started") ended ??= status;
        break;
      }
      case "BuildLogSealed":
        sealed = true;
        break;
      case "ImageRan":
        if (!fetches.has(fact.data.fetchId)) throw contradiction(fact, whereFetchIs(undefined));
        ran.push(ranKey(fact.data));
        break;
      case "BuildPlanned":
        plan = fact.data.plan;
        break;
      case "ArtifactImageResolved":
        artifactImages.set(fact.data.planId, fact.data);
        break;
      case "ImageCheck":
      case "ImageGet":
      case "ImageVersionResolved":
      case "ImageShortCircuited":
      case "FetchFailed": {
        const said = awaited.shift();
        if (said === undefined) throw contradiction(fact, "nothing before it causes it");
        if (!same(said, fact)) throw contradiction(fact, mustStandThere(said));
        after = fetches.get(fact.data.fetchId);
        break;
      }
      case "FetchRequested": {
        if (fetches.has(fact.data.fetchId)) throw contradiction(fact, "the fetch was requested already");
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
        const next = before === undefined ? undefined : step(before, fact, at);
        if (next === undefined) throw contradiction(fact, whereFetchIs(before));
        ({ state: after, says } = next);
        break;
      }
    }
    if (after !== undefined && "fetchId" in fact.data) {
      fetches.set(fact.data.fetchId, after);
      if (!isOutput(fact)) causes.set(fact.data.fetchId, fact.id);
      awaited.push(...says);
    }
    onFact?.({ fact, after, says });
  }
  const keys = saved.length === 0 ? from.events.keys : new Map([...from.events.keys, ...saved]);
  const events = { keys, ended, sealed };
  const told = ran.length === 0 ? from.ran : new Set([...from.ran, ...ran]);
  return { opened, plan, writer, fetches, causes, time, revision, events, artifactImages, ran: told, awaited };
}

/** Tells one report of what ran from another: the same said twice is one fact. */
export function ranKey({
  fetchId,
  imageID,
  pod = "",
}: Pick<BuildFactData<"ImageRan">, "fetchId" | "imageID" | "pod">): string {
  return `${fetchId}\n${imageID}\n${pod}`;
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
  return said.type === stored.type && isSameJson(said.data, stored.data);
}

function mustStandThere(said: FetchOutput): string {
  return `${said.type} of ${said.data.fetchId} must stand there, as the facts before it have it`;
}

function whereFetchIs(state: FetchState | undefined): string {
  return state === undefined ? "nobody requested the fetch" : `the fetch is ${stateName(state)} and does not take it`;
}

function contradiction(fact: RecordedBuildFact, why: string): FetchImageError {
  return new FetchImageError("FI_HISTORY_CONTRADICTORY", {
    message: `${fact.type} at ${fact.stream}@${fact.revision} contradicts the facts before it: ${why}`,
    details: { stream: fact.stream, revision: String(fact.revision), type: fact.type },
  });
}
