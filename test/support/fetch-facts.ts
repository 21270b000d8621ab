// Requests, facts and whole streams as the engine writes them, for every test that needs a history.
import { createHash } from "node:crypto";
import {
  begin,
  type BuildFact,
  type BuildFactData,
  buildFactToStore,
  buildStream,
  type CheckEvidence,
  type Failure,
  type FetchInput,
  type FetchOutput,
  type FetchRequest,
  type FetchState,
  formatTime,
  type Hash,
  parseTime,
  type RecordedBuildFact,
  type RecordedFact,
  type RecordedScopeFact,
  replayBuild,
  type ScopeFact,
  scopeFactToStore,
  scopeStream,
  step,
} from "@fetch-image/core";

export const testHash: Hash = {
  sha1: (prefix, text) => createHash("sha1").update(prefix).update(text).digest(),
  sha256Hex: (text) => createHash("sha256").update(text).digest("hex"),
};

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

export function someEvidence(changes: Partial<CheckEvidence> = {}): CheckEvidence {
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

/** Where fast-check looks for the words to show a value in. */
const inReports: unique symbol = Symbol.for("fast-check/toStringMethod");

/** A build's stream, written fact by fact as the engine writes it. Time stands still until {@link wait}. */
export class BuildHistory {
  readonly buildId: string;
  readonly facts: RecordedBuildFact[] = [];
  readonly states = new Map<string, FetchState>();
  now = startOfTests;
  node = "node-a";
  readonly #causes = new Map<string, string>();

  constructor(buildId = "123") {
    this.buildId = buildId;
    this.append(
      { type: "BuildOpened", data: { buildId, team: "main", pipeline: "ci", job: "unit", renderer: "1" } },
      "opened",
    );
  }

  /** The build as another process finds it, which has these facts and nothing else. */
  static resume(facts: readonly RecordedBuildFact[]): BuildHistory {
    const { opened, fetches, causes, writer, time } = replayBuild(facts);
    const resumed = new BuildHistory(opened?.buildId);
    resumed.facts.splice(0, resumed.facts.length, ...facts);
    for (const [fetchId, state] of fetches) resumed.states.set(fetchId, state);
    for (const [fetchId, cause] of causes) resumed.#causes.set(fetchId, cause);
    resumed.now = time;
    resumed.node = writer ?? resumed.node;
    return resumed;
  }

  wait(ms: number): this {
    this.now += ms;
    return this;
  }

  adopt(node: string): this {
    const from = this.node;
    this.node = node;
    this.append({ type: "BuildAdopted", data: { buildId: this.buildId, from } }, `adopted\n${this.facts.length - 1}`);
    return this;
  }

  request(request: FetchRequest): this {
    const { state, says } = begin(request, this.now);
    this.#advance({ type: "FetchRequested", data: request }, says, state, 0);
    return this;
  }

  /** Appends the fact and what it causes; throws where the machine ignores it, for then the engine stores nothing. */
  take(given: InputFor | ((now: number) => InputFor), fetchId?: string): this {
    const input = typeof given === "function" ? given(this.now) : given;
    if (!this.offer(input, fetchId))
      throw new Error(`${input.type} is ignored in ${this.state(fetchId).snapshot.value}`);
    return this;
  }

  /** As {@link take}; false where the machine ignores the fact. */
  offer(input: InputFor, fetchId: string = this.#onlyFetch()): boolean {
    const before = this.state(fetchId);
    const fact = inputOf(fetchId, input);
    const next = step(before, fact, this.now);
    if (next === undefined) return false;
    this.#advance(fact, next.says, next.state, before.facts);
    return true;
  }

  state(fetchId: string = this.#onlyFetch()): FetchState {
    const state = this.states.get(fetchId);
    if (state === undefined) throw new Error(`build ${this.buildId} has no fetch ${fetchId}`);
    return state;
  }

  append(fact: BuildFact, key: string, causationId?: string): string {
    const stream = buildStream(this.buildId);
    const context = { stream, key, buildId: this.buildId, causationId, node: this.node, at: this.now };
    const stored = record(buildFactToStore(fact, context, testHash), stream, this.facts.length);
    this.facts.push(stored as unknown as RecordedBuildFact);
    return stored.id;
  }

  [inReports](): string {
    return this.facts.map(shown).join("");
  }

  #advance(input: BuildFact, says: readonly FetchOutput[], state: FetchState, ordinal: number): void {
    const fetchId = state.snapshot.context.request.fetchId;
    const id = this.append(input, `${fetchId}\n${ordinal}`, this.#causes.get(fetchId));
    says.forEach((fact, index) => this.append(fact, `${fetchId}\n${ordinal + 1 + index}`, id));
    this.#causes.set(fetchId, id);
    this.states.set(fetchId, state);
  }

  #onlyFetch(): string {
    const [fetchId, ...others] = this.states.keys();
    if (fetchId === undefined || others.length > 0) throw new Error("name the fetch: the build has none, or several");
    return fetchId;
  }
}

/** All of a fetch's state that is data: what two ways to the same state must agree on. */
export function essence(state: FetchState): object {
  const { snapshot, ...rest } = state;
  return { value: snapshot.value, status: snapshot.status, context: snapshot.context, ...rest };
}

/** The stream of a scope. */
export class ScopeHistory {
  readonly scope: string;
  readonly facts: RecordedScopeFact[] = [];
  now = startOfTests;

  constructor(scope = "0123456789abcdef0123456789abcdef") {
    this.scope = scope;
  }

  wait(ms: number): this {
    this.now += ms;
    return this;
  }

  append(fact: ScopeFact, { buildId = "123", node = "node-a" } = {}): this {
    const stream = scopeStream(this.scope);
    const context = { stream, key: `test\n${this.facts.length}`, buildId, node, at: this.now };
    const stored = record(scopeFactToStore(fact, context, testHash), stream, this.facts.length);
    this.facts.push(stored as unknown as RecordedScopeFact);
    return this;
  }

  [inReports](): string {
    return this.facts.map(shown).join("");
  }
}

/** One fact a line, for the report of a property that fails. */
function shown({ type, data, metadata }: RecordedBuildFact | RecordedScopeFact): string {
  return `\n  ${metadata.time} ${type} ${JSON.stringify(data)}`;
}

// Through JSON, as every store keeps facts: what JSON would change cannot hide.
function record(fact: unknown, stream: string, revision: number): RecordedFact {
  const { id, type, data, metadata } = JSON.parse(JSON.stringify(fact)) as RecordedFact;
  return { id, stream, revision: BigInt(revision), position: String(revision + 1), type, data, metadata };
}
