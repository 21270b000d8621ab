// Any facts of several builds and scopes in one store, the builds' made as the engine makes them.
import {
  begin,
  type BuildFact,
  buildStream,
  type FetchInput,
  type FetchRequest,
  type FetchState,
  formatTime,
  parseTime,
  type RecordedBuildFact,
  type RecordedScopeFact,
  type ScopeFact,
  scopeStream,
  step,
} from "@fetch-image/core";
import * as fc from "fast-check";

export type AnyFact = RecordedBuildFact | RecordedScopeFact;

const builds = ["1", "2"];
const scopes = ["5c0be", "0ff1ce"];
const digests = ["a", "b", "c"].map((digit) => `sha256:${digit.repeat(64)}`);
const start = parseTime("2026-11-22T23:59:00.000Z");

/** Facts in the store's order; the streams' own rules hold, and fetches stand in every state there is. */
export function anyFacts(): fc.Arbitrary<readonly AnyFact[]> {
  return fc.array(move, { minLength: 20, maxLength: 90, size: "max" }).map((moves) => {
    const store = new Store();
    for (const build of builds) {
      store.addToBuild(build, [{ type: "BuildOpened", data: { buildId: build, team: "main", renderer: "1" } }]);
    }
    for (const made of moves) made(store);
    return store.facts;
  });
}

class Store {
  readonly facts: AnyFact[] = [];
  readonly #fetches = new Map<string, FetchState>();
  readonly #revisions = new Map<string, bigint>();
  #at = start;

  tick(ms: number): void {
    this.#at += ms;
  }

  addToBuild(build: string, facts: readonly BuildFact[]): void {
    for (const fact of facts) this.facts.push({ ...fact, ...this.#stored(buildStream(build)) });
  }

  addToScope(scope: string, fact: ScopeFact): void {
    this.facts.push({ ...fact, ...this.#stored(scopeStream(scope)) });
  }

  hasFetch(build: string, fetchId: string): boolean {
    return this.#fetches.has(`${build} ${fetchId}`);
  }

  request(build: string, request: FetchRequest): void {
    const key = `${build} ${request.fetchId}`;
    if (this.#fetches.has(key)) return;
    const { state, says } = begin(request, this.#at);
    this.#fetches.set(key, state);
    this.addToBuild(build, [{ type: "FetchRequested", data: request }, ...says]);
  }

  /** Nothing where the machine would not take it. */
  tell(build: string, input: FetchInput): void {
    const key = `${build} ${input.data.fetchId}`;
    const before = this.#fetches.get(key);
    const next = before === undefined ? undefined : step(before, input, this.#at);
    if (next === undefined) return;
    this.#fetches.set(key, next.state);
    this.addToBuild(build, [input, ...next.says]);
  }

  #stored(stream: string) {
    const revision = (this.#revisions.get(stream) ?? -1n) + 1n;
    this.#revisions.set(stream, revision);
    const metadata = { schema: 1, machine: "1", $correlationId: "1", node: "node-a/1", time: formatTime(this.#at) };
    return { id: `${stream}@${revision}`, stream, revision, position: String(this.facts.length), metadata };
  }
}

const build = fc.constantFrom(...builds);
const fetchId = fc.constantFrom("1/image-get", "2/image-get", "3/image-get");
const digest = fc.constantFrom(...digests);
const version = fc.oneof(
  digest.map((digest) => ({ tag: "v1", digest })),
  fc.constant({ tag: "v1" }),
  fc.constant({ ref: "ab12" }),
);
const phase = fc.constantFrom("request" as const, "digest" as const);
const asker = fc.record({ buildId: build, fetchId });
const text = fc.string({ unit: "binary", maxLength: 12 });
const observedAt = fc.integer({ min: 0, max: 90_000 }).map((ago) => formatTime(start - ago));
const mostly = fc.nat({ max: 5 }).map((drawn) => drawn > 0);
const rarely = mostly.map((holds) => !holds);
const failure = fc.record({ code: fc.constant("FI_REGISTRY_TIMEOUT"), message: text, retryable: mostly });
const setback = fc.record(
  { failure, retryAfterMs: fc.integer({ min: 0, max: 120_000 }) },
  { requiredKeys: ["failure"] },
);

const request: fc.Arbitrary<FetchRequest> = fc
  .record({
    fetchId,
    name: text,
    planned: version,
    hasVersion: fc.boolean(),
    hasCheckPlan: fc.boolean(),
    native: mostly,
    artifactWanted: rarely,
    policy: fc.boolean(),
    git: rarely,
  })
  .map(({ fetchId, planned, hasVersion, hasCheckPlan, git, ...rest }) => ({
    fetchId,
    planId: fetchId.replace("/image-get", ""),
    kind: "task",
    type: git ? "git" : "registry-image",
    source: {},
    credentials: false,
    scope: "5c0be",
    ...(git ? {} : { repository: "registry.test/app", tag: "v1" }),
    ...(hasCheckPlan ? { checkPlan: { id: "check" } } : {}),
    getPlan: { id: fetchId },
    ...(hasVersion ? { version: planned } : {}),
    privileged: false,
    checker: "registry",
    retry: { attempts: 3, baseMs: 1000, capMs: 30_000, patienceMs: 60_000, jitter: 0.5 },
    joinMs: 15_000,
    ...rest,
  }));

const goesOn: fc.Arbitrary<FetchInput> = fc.oneof(
  fc.record({ fetchId, phase, soft: fc.boolean(), reasons: fc.array(text) }).map(({ soft, ...data }) => ({
    type: "PolicyDecided" as const,
    data: { ...data, ...(soft ? { decision: "denied" as const, enforcement: "soft" as const } : allowed) },
  })),
  fc.record({ fetchId, asker }).map((data) => ({ type: "CheckJoined" as const, data })),
  fc
    .record({
      fetchId,
      version,
      observedAt,
      via: fc.constantFrom("HEAD" as const, "fresh" as const, "joined" as const, "stale-served" as const),
    })
    .map(({ fetchId, version, ...evidence }) => ({
      type: "ImageChecked" as const,
      data: { fetchId, version, evidence, rejected: [{ candidate: "scope", reason: "too old" }] },
    })),
  fc.record({ fetchId, setback }).map(({ fetchId, setback }) => ({
    type: "ImageCheckFailed" as const,
    data: { fetchId, ...setback },
  })),
  fc.record({ fetchId, setback }).map(({ fetchId, setback }) => ({
    type: "ArtifactFetchFailed" as const,
    data: { fetchId, ...setback },
  })),
  fc.record({ fetchId, timer: fc.constantFrom("backoff" as const, "patience" as const) }).map((data) => ({
    type: "TimerFired" as const,
    data,
  })),
  fc.record({ fetchId, artifact: text }).map((data) => ({ type: "ArtifactFetched" as const, data })),
);
const allowed = { decision: "allowed" as const };

// Rare, so that fetches come far.
const ends: fc.Arbitrary<FetchInput> = fc.oneof(
  fc.record({ fetchId, phase, reasons: fc.array(text) }).map((data) => ({
    type: "PolicyDecided" as const,
    data: { ...data, decision: "denied" as const },
  })),
  fc.record({ fetchId, phase, failure }).map((data) => ({ type: "PolicyUnanswered" as const, data })),
  fc.record({ fetchId, reason: text }).map((data) => ({ type: "FetchAborted" as const, data })),
);

const input = fc.oneof({ weight: 12, arbitrary: goesOn }, { weight: 1, arbitrary: ends });

const claim = {
  scope: "5c0be",
  type: "registry-image",
  repository: "registry.test/app",
  tag: "v1",
  source: {},
  credential: null,
  until: formatTime(start),
};

const scopeFact: fc.Arbitrary<ScopeFact> = fc.oneof(
  asker.map((asker) => ({ type: "CheckClaimed" as const, data: { ...claim, asker } })),
  fc.record({ digest, changed: fc.boolean(), asker }).map(({ digest, ...data }) => ({
    type: "VersionObserved" as const,
    data: { ...data, version: { tag: "v1", digest }, via: "HEAD" as const, host: "registry.test", status: 200 },
  })),
  asker.map((asker) => ({
    type: "VersionVanished" as const,
    data: { tag: "v1", host: "registry.test", status: 404, asker },
  })),
  fc.record({ failure, asker }).map((data) => ({ type: "CheckFailed" as const, data })),
  fc.constant({ type: "RateLimitObserved" as const, data: { host: "registry.test" } }),
);

const move: fc.Arbitrary<(store: Store) => void> = fc.oneof(
  fc.integer({ min: 0, max: 30_000 }).map((ms) => (store: Store) => store.tick(ms)),
  fc.record({ build, request }).map((made) => (store: Store) => store.request(made.build, made.request)),
  {
    weight: 14,
    arbitrary: fc.record({ build, input }).map((made) => (store: Store) => store.tell(made.build, made.input)),
  },
  fc.record({ scope: fc.constantFrom(...scopes), fact: scopeFact }).map(
    ({ scope, fact }) =>
      (store: Store) =>
        store.addToScope(scope, fact),
  ),
  fc.record({ build, text, fetchId }).map(({ build, text, fetchId }) => (store: Store) => {
    const data = { fetchId, planId: "check", origin: "stderr" as const, text };
    const ran = { fetchId, imageID: text, outcome: "unknown" as const, reason: "the runtime names no digest" };
    const told = store.hasFetch(build, fetchId) ? [{ type: "ImageRan" as const, data: ran }] : [];
    store.addToBuild(build, [
      { type: "OutputWritten", data },
      ...told,
      { type: "BuildAdopted", data: { buildId: build, from: text } },
    ]);
  }),
);
