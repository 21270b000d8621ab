import {
  begin,
  type BuildFactData,
  type BuildFactType,
  decodeBuildFact,
  type FactOf,
  type FetchInputType,
  type FetchState,
  parseTime,
  type RecordedBuildFact,
  type RecordedFact,
  step,
} from "@fetch-image/core";

// Looking on never fails for what a stream holds: what cannot be read or followed is passed over.

export type RecordedInput = FactOf<FetchInputType> & RecordedBuildFact;

/** Whether the fact moves the machine of its fetch. */
export function isInput(fact: RecordedBuildFact): fact is RecordedInput {
  return inputs.has(fact.type);
}

const inputs: ReadonlySet<BuildFactType> = new Set<FetchInputType>([
  "PolicyDecided",
  "PolicyUnanswered",
  "CheckJoined",
  "ImageChecked",
  "ImageCheckFailed",
  "TimerFired",
  "ArtifactFetched",
  "ArtifactFetchFailed",
  "FetchAborted",
]);

/** Undefined for a fact of a newer version, for one whose data is not what its type has, and for one of no fetch's. */
export function readable(recorded: RecordedFact): RecordedBuildFact | undefined {
  if (passedOver.has(recorded.type)) return undefined;
  return tried(() => {
    const decoded = decodeBuildFact(recorded);
    return decoded.known ? decoded.fact : undefined;
  });
}

/** Most of a stream is the scheduler's events and what steps printed: to be passed over unread. */
const passedOver: ReadonlySet<string> = new Set<BuildFactType>(["BuildEventSaved", "OutputWritten", "BuildLogSealed"]);

/** The machine of a fetch that was requested. */
export function begun(
  data: BuildFactData<"FetchRequested">,
  { metadata }: Pick<RecordedBuildFact, "metadata">,
): FetchState | undefined {
  return tried(() => begin(data, parseTime(metadata.time)).state);
}

/** Where the fact takes the machine; undefined where it means nothing there. */
export function moved(state: FetchState, fact: RecordedInput): FetchState | undefined {
  return tried(() => step(state, fact, parseTime(fact.metadata.time))?.state);
}

function tried<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
