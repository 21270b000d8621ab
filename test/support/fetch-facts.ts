// Requests of fetches, and the facts that reach them, as examples for every test.
import {
  type BuildFactData,
  type CheckEvidence,
  type Failure,
  type FetchInput,
  type FetchRequest,
  formatTime,
  parseTime,
} from "@fetch-image/core";

export const digestA = `sha256:${"a".repeat(64)}`;
export const digestB = `sha256:${"b".repeat(64)}`;
export const startOfTests: number = parseTime("2026-11-22T04:40:00.000Z");

/** A task's image from a registry, to be checked, natively: `registry.test/app:v1`. */
export function aRequest(changes: Partial<FetchRequest> = {}): FetchRequest {
  const fetchId = changes.fetchId ?? "f1/image-get";
  const planId = changes.planId ?? fetchId.replace(/\/image-get$/, "");
  return {
    fetchId,
    planId,
    kind: "task",
    name: "image",
    type: "registry-image",
    source: { repository: "registry.test/app", tag: "v1" },
    credentials: false,
    scope: "0123456789abcdef0123456789abcdef",
    repository: "registry.test/app",
    tag: "v1",
    checkPlan: { id: `${planId}/image-check`, check: { name: "image", type: "registry-image" } },
    getPlan: { id: fetchId, get: { name: "image", type: "registry-image" } },
    privileged: false,
    native: true,
    artifactWanted: false,
    checker: "registry",
    policy: false,
    retry: { attempts: 3, baseMs: 1000, capMs: 30_000, patienceMs: 60_000, jitter: 0.5 },
    joinMs: 15_000,
    ...changes,
  };
}

/** As {@link aRequest}, its version pinned: no check plan, no scope. */
export function aPinnedRequest(version: FetchRequest["version"], changes: Partial<FetchRequest> = {}): FetchRequest {
  const { checkPlan: _checkPlan, scope: _scope, ...request } = aRequest(changes);
  return { ...request, ...(version === undefined ? {} : { version }) };
}

/** The image of a git-backed type: checked and got by steps, no repository known. */
export function aRequestOfOtherType(changes: Partial<FetchRequest> = {}): FetchRequest {
  const { scope: _scope, repository: _repository, tag: _tag, ...request } = aRequest();
  return { ...request, type: "git-image", source: {}, credentials: true, checker: "step", ...changes };
}

function someEvidence(changes: Partial<CheckEvidence> = {}): CheckEvidence {
  return {
    via: "HEAD",
    observedAt: formatTime(startOfTests),
    host: "registry.test",
    status: 200,
    credential: null,
    ...changes,
  };
}

export const passingFailure: Failure = {
  code: "FI_REGISTRY_UNAVAILABLE",
  message: "registry.test answered 503",
  hint: "Try again later.",
  retryable: true,
  details: { host: "registry.test", status: 503 },
};

export const lastingFailure: Failure = {
  code: "FI_IMAGE_UNKNOWN",
  message: "registry.test has no app:v1",
  retryable: false,
};

type InputData<T extends FetchInput["type"]> = Omit<BuildFactData<T>, "fetchId">;

/** A fact that moves a fetch, without its fetch id: {@link BuildHistory.take} adds it. */
export type InputFor = {
  [T in FetchInput["type"]]: { readonly type: T; readonly data: InputData<T> };
}[FetchInput["type"]];

export const inputs = {
  checked: (version: BuildFactData<"ImageChecked">["version"], evidence: Partial<CheckEvidence> = {}): InputFor => ({
    type: "ImageChecked",
    data: { version, evidence: someEvidence(evidence), rejected: [] },
  }),
  checkFailed: (failure: Failure = passingFailure, retryAfterMs?: number): InputFor => ({
    type: "ImageCheckFailed",
    data: { failure, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
  }),
  joined: (buildId = "122"): InputFor => ({
    type: "CheckJoined",
    data: { asker: { buildId, fetchId: "e1/image-get" } },
  }),
  timer: (timer: "backoff" | "patience"): InputFor => ({ type: "TimerFired", data: { timer } }),
  fetched: (artifact = "volume-1"): InputFor => ({ type: "ArtifactFetched", data: { artifact } }),
  getFailed: (failure: Failure = passingFailure, retryAfterMs?: number): InputFor => ({
    type: "ArtifactFetchFailed",
    data: { failure, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
  }),
  allowed: (phase: "request" | "digest"): InputFor => ({
    type: "PolicyDecided",
    data: { phase, decision: "allowed", reasons: [] },
  }),
  denied: (phase: "request" | "digest", enforcement: "hard" | "soft"): InputFor => ({
    type: "PolicyDecided",
    data: { phase, decision: "denied", enforcement, reasons: ["images come from registry.example.com only"] },
  }),
  unanswered: (phase: "request" | "digest"): InputFor => ({
    type: "PolicyUnanswered",
    data: {
      phase,
      failure: { code: "FI_POLICY_UNAVAILABLE", message: "opa.test cannot be reached", retryable: true },
    },
  }),
  aborted: (reason = "the build was aborted"): InputFor => ({ type: "FetchAborted", data: { reason } }),
} as const;

export function inputOf(fetchId: string, { type, data }: InputFor): FetchInput {
  return { type, data: { fetchId, ...data } } as FetchInput;
}
