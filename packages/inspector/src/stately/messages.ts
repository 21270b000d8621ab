import {
  type FetchState,
  type FetchSnapshot,
  type JsonObject,
  machineDefinition,
  parseTime,
  type RecordedFact,
} from "@fetch-image/core";

/** The version of `@statelyai/inspect` whose messages these are. */
const protocolVersion = "0.7.2";

/** A message of Stately's inspection protocol, one JSON object per frame. */
export interface StatelyMessage {
  readonly type: "@xstate.actor" | "@xstate.event" | "@xstate.snapshot";
  readonly _version: string;
  /** Milliseconds since the epoch, in digits: when the fact was made. */
  readonly createdAt: string;
  readonly id: string;
  readonly sessionId: string;
  readonly rootId: string;
  readonly parentId?: string;
  readonly sourceId?: string;
  readonly name?: string;
  readonly definition?: string;
  readonly event?: MachineEvent;
  readonly snapshot?: MachineSnapshot;
}

interface MachineEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

interface MachineSnapshot {
  readonly status: string;
  readonly value: string;
  readonly context: object;
  readonly tags: readonly string[];
}

/** Of a build, whose fetches are its children. */
const buildDefinition = JSON.stringify({
  id: "build",
  description: "A build of the scheduler's: its fetches are its children.",
  initial: "open",
  states: { open: {} },
});

function buildSession(buildId: string): string {
  return `build-${buildId}`;
}

function fetchSession(buildId: string, fetchId: string): string {
  return `build-${buildId}/${fetchId}`;
}

export function buildActor(buildId: string, context: JsonObject, fact: RecordedFact): StatelyMessage {
  const sessionId = buildSession(buildId);
  return {
    ...common(fact, "@xstate.actor", sessionId, sessionId),
    name: `build ${buildId}`,
    definition: buildDefinition,
    snapshot: { status: "active", value: "open", context, tags: [] },
  };
}

export function fetchActor(buildId: string, state: FetchState, fact: RecordedFact): StatelyMessage {
  const { name, fetchId } = state.snapshot.context.request;
  return {
    ...common(fact, "@xstate.actor", fetchSession(buildId, fetchId), buildSession(buildId)),
    parentId: buildSession(buildId),
    name: `${name} ${fetchId}`,
    definition: (definition ??= machineDefinition()),
    snapshot: shown(state.snapshot),
  };
}

let definition: string | undefined;

/** What a machine took, and what it became by it. */
export function step(
  buildId: string,
  { fetchId, event, state }: { readonly fetchId: string; readonly event: MachineEvent; readonly state: FetchState },
  fact: RecordedFact,
): readonly StatelyMessage[] {
  const [sessionId, rootId] = [fetchSession(buildId, fetchId), buildSession(buildId)];
  return [
    { ...common(fact, "@xstate.event", sessionId, rootId), sourceId: rootId, event },
    { ...common(fact, "@xstate.snapshot", sessionId, rootId), event, snapshot: shown(state.snapshot) },
  ];
}

function shown({ status, value, context }: FetchSnapshot): MachineSnapshot {
  return { status, value, context, tags: [] };
}

function common(fact: RecordedFact, type: StatelyMessage["type"], sessionId: string, rootId: string) {
  const { time } = fact.metadata;
  const at = typeof time === "string" ? parseTime(time) : 0;
  return {
    type,
    _version: protocolVersion,
    createdAt: String(at),
    id: `${fact.id}/${type}/${sessionId}`,
    sessionId,
    rootId,
  } as const;
}
