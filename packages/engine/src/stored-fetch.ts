import {
  buildStream,
  type BuildState,
  decodeBuildFact,
  type EventLog,
  FetchImageError,
  type FetchState,
  isFinished,
  newerPart,
  noBuild,
  type RecordedBuildFact,
  type RecordedFact,
  replayBuild,
  stateName,
  type TraceContext,
} from "@fetch-image/core/fetching";
import type { FetchImageRequest, ReadRequest } from "./request.ts";
import { storedTrace } from "./trace-context.ts";

/** What became of one fetch of a build. */
export interface FetchSummary {
  readonly fetchId: string;
  readonly planId: string;
  readonly name: string;
  readonly type: string;
  readonly state: string;
  /** `domain/path:tag@digest`. */
  readonly reference?: string;
  readonly imageURL?: string;
  readonly artifact?: string;
  readonly version?: { readonly [key: string]: string };
  readonly via?: string;
  readonly pinned?: boolean;
}

/** A build as it is taken up. */
export interface PastBuild extends BuildState {
  /** Where its fetches were asked for, those that were within a trace. */
  readonly traces: ReadonlyMap<string, TraceContext>;
}

/** A build of which nothing is stored. */
export const newBuild: PastBuild = { ...noBuild, traces: new Map() };

/** Folds a build for writing. Rejects with `FI_STORE_TOO_NEW` where a fact of its stream is of a newer version. */
export async function readBuild(eventLog: EventLog, buildId: string): Promise<PastBuild> {
  const stream = buildStream(buildId);
  const facts: RecordedBuildFact[] = [];
  const traces = new Map<string, TraceContext>();
  for (const recorded of await eventLog.read(stream)) {
    const newer = newerPart(recorded);
    if (newer !== undefined) throw tooNew(recorded, newer);
    const decoded = decodeBuildFact(recorded);
    if (!decoded.known) continue;
    const { fact } = decoded;
    facts.push(fact);
    if (fact.type !== "FetchRequested") continue;
    const trace = storedTrace(recorded.metadata);
    if (trace !== undefined) traces.set(fact.data.fetchId, trace);
  }
  return facts.length === 0 ? newBuild : { ...replayBuild(facts), traces };
}

/** What a stored request needs to go on by itself: a registry-image without credentials, checked at the registry. */
export function resumable(fetchId: string, { snapshot }: FetchState): FetchImageRequest | undefined {
  const { request } = snapshot.context;
  if (request.credentials || request.checker !== "registry" || !request.native || request.artifactWanted)
    return undefined;
  const { name, type, source, version, privileged, interval, skipInterval } = request;
  const intervals = {
    ...(interval === undefined ? {} : { interval: interval === "never" ? interval : `${interval}ms` }),
    ...(skipInterval === true ? { skip_interval: true } : {}),
  };
  const checkId = request.checkPlan?.["id"];
  return {
    getPlan: { id: fetchId, get: { name, type, source, ...(version === undefined ? {} : { version }) } },
    ...(typeof checkId === "string" ? { checkPlan: { id: checkId, check: { name, type, source, ...intervals } } } : {}),
    privileged,
    announce: request.kind === "task",
  };
}

export function summarize(fetchId: string, state: FetchState): FetchSummary {
  const { request, artifact } = state.snapshot.context;
  const { resolved, imageURL } = state;
  return {
    fetchId,
    planId: request.planId,
    name: request.name,
    type: request.type,
    state: stateName(state),
    ...(resolved?.reference === undefined ? {} : { reference: resolved.reference }),
    ...(imageURL === null ? {} : { imageURL }),
    ...(artifact === null ? {} : { artifact }),
    ...(resolved === null ? {} : { version: resolved.version, via: resolved.via, pinned: resolved.pinned }),
  };
}

/** A fetch that the build's stream holds, as it is ended when nobody waits for it. */
export interface LeftBehind {
  readonly fetchId: string;
  readonly request: FetchImageRequest;
  readonly read: ReadRequest;
  readonly state: FetchState;
}

/** Images for the steps of a fetch that has ended, of which a dead process left the fetches: nobody waits for them. */
export function leftBehind({ snapshot }: FetchState, past: BuildState): readonly LeftBehind[] {
  const { getPlan, checkPlan } = snapshot.context.request;
  const planIds = [getPlan["id"], checkPlan?.["id"]].filter((planId) => typeof planId === "string");
  return [...past.fetches]
    .filter(([fetchId, state]) => !isFinished(state) && planIds.some((planId) => fetchId.startsWith(`${planId}/`)))
    .map(([fetchId, state]) => {
      const fact = state.snapshot.context.request;
      const { name, type, source, privileged } = fact;
      const request = { getPlan: { id: fetchId, get: { name, type, source } }, privileged };
      const asked = { source: undefined, repository: undefined, credential: null, proof: null, secrets: [] };
      return { fetchId, request, read: { fact, ...asked, interval: "never", skipInterval: false }, state };
    });
}

function tooNew({ stream, revision, type }: RecordedFact, newer: string): FetchImageError {
  return new FetchImageError("FI_STORE_TOO_NEW", {
    message: `${type} at ${stream}@${revision} has ${newer}: this version may read the build, not write it`,
    details: { stream, revision: String(revision), type },
  });
}
