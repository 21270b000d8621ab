import { describe, expect, test } from "vitest";
import { explainImage, explainVersion, type ResolvedVersion } from "../build-log/explain.ts";
import type { BuildFact, FetchRequest, RecordedBuildFact, RecordedScopeFact, ScopeFact } from "../facts/facts.ts";
import { formatTime, parseTime } from "../facts/time.ts";
import type { ObservationOutcome, ObservationRow } from "../ports/read-model.ts";
import { projectFacts } from "./read-model.ts";

const t0 = parseTime("2026-11-22T04:40:00.000Z");
const digest = `sha256:${"1f".repeat(32)}`;
const other = `sha256:${"2e".repeat(32)}`;
const fetchId = "T/image-get";
const asker = { buildId: "123", fetchId };

/** Facts of build 123, a second apart. */
function build(...facts: BuildFact[]): RecordedBuildFact[] {
  return facts.map((fact, index) => ({ ...fact, ...stored("build-123", index) }));
}

/** Facts of scope 5c0be, a second apart. */
function scope(...facts: ScopeFact[]): RecordedScopeFact[] {
  return facts.map((fact, index) => ({ ...fact, ...stored("imageScope-5c0be", index) }));
}

function stored(stream: string, index: number) {
  const metadata = { schema: 1, $correlationId: "123", node: "node-a/1", time: at(index) };
  return { id: `${stream}-${index}`, stream, revision: BigInt(index), position: String(index), metadata };
}

function at(seconds: number): string {
  return formatTime(t0 + seconds * 1000);
}

const request: FetchRequest = {
  fetchId,
  planId: "T",
  kind: "task",
  name: "image",
  type: "registry-image",
  source: {},
  credentials: false,
  scope: "5c0be",
  repository: "registry.example.com/my-resource",
  tag: "v1.2",
  checkPlan: { id: "T/image-check" },
  getPlan: { id: fetchId },
  privileged: false,
  native: true,
  artifactWanted: false,
  checker: "registry",
  policy: false,
  retry: { attempts: 5, baseMs: 1000, capMs: 30_000, patienceMs: 60_000, jitter: 0 },
  joinMs: 30_000,
};
const { checkPlan: _checkPlan, ...unchecked } = request;

const requested: BuildFact = { type: "FetchRequested", data: request };
const reference = `registry.example.com/my-resource:v1.2@${digest}`;
const version = { tag: "v1.2", digest };
const resolved: ResolvedVersion = {
  version,
  reference,
  via: "fresh",
  pinned: true,
  observedAt: at(-41),
  ageMs: 41_000,
  evidence: { via: "fresh", observedAt: at(-41), host: "registry.example.com", status: 200, credential: null, asker },
  rejected: [{ candidate: "plan tag v1", reason: "the check gave a digest, which comes first" }],
};
const versionResolved: BuildFact = { type: "ImageVersionResolved", data: { fetchId, ...resolved } };
const failure = { code: "FI_REGISTRY_TIMEOUT", message: "registry.example.com did not answer", retryable: true };

function imageOf(...facts: BuildFact[]) {
  const { images } = projectFacts(build(...facts));
  expect(images).toHaveLength(1);
  return images[0];
}

function stateAfter(...facts: BuildFact[]): string | undefined {
  return imageOf(...facts)?.state;
}

describe("a build's facts", () => {
  test("give the build, with what it is called and when it was opened", () => {
    const named = { buildId: "123", team: "main", job: "unit", renderer: "1" };
    expect(projectFacts(build({ type: "BuildOpened", data: named }))).toEqual({
      builds: [{ buildId: "123", team: "main", job: "unit", openedAt: at(0) }],
      images: [],
      scopes: [],
      versions: [],
      observations: [],
    });
  });

  test("keep what the steps of the plan are called, and leave out the sub-plans of images", () => {
    const task = { id: "2", task: { name: "unit", privileged: false } };
    const get = {
      id: "1",
      get: { name: "pr", type: "pull-request", image_get_plan: { id: "1/image-get", get: { name: "pull-request" } } },
    };
    const plan = {
      id: "4",
      on_failure: { step: { id: "3", do: [get, task] }, on_failure: { id: "5", try: { step: {} } } },
    };
    expect(projectFacts(build({ type: "BuildPlanned", data: { buildId: "123", plan } })).builds).toEqual([
      { buildId: "123", steps: { "1": { kind: "get", name: "pr" }, "2": { kind: "task", name: "unit" } } },
    ]);
    for (const odd of [
      {},
      { id: 7, get: { name: "a" } },
      { id: "1", get: "a" },
      { id: "__proto__", get: { name: "a" } },
    ]) {
      const [row] = projectFacts(build({ type: "BuildPlanned", data: { buildId: "123", plan: odd } })).builds;
      expect(Object.entries(row?.steps ?? {})).toEqual(
        "id" in odd && odd.id === "__proto__" ? [["__proto__", { kind: "get", name: "a" }]] : [],
      );
    }
  });

  test("give one row for an image that the kubelet pulls, with its version and digest", () => {
    const shortCircuited: BuildFact = {
      type: "ImageShortCircuited",
      data: { fetchId, imageURL: `docker:///${reference}` },
    };
    expect(imageOf(requested, versionResolved, shortCircuited)).toEqual({
      buildId: "123",
      fetchId,
      planId: "T",
      name: "image",
      type: "registry-image",
      scope: "5c0be",
      repository: "registry.example.com/my-resource",
      tag: "v1.2",
      state: "short-circuited",
      reference,
      imageURL: `docker:///${reference}`,
      digest,
      version,
      via: "fresh",
      observedAt: at(-41),
      evidence: resolved,
      requestedAt: at(0),
      endedAt: at(2),
    });
  });

  test("tell what is pulled from where it is not what was asked for", () => {
    const full = `123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:v2@${digest}`;
    const row = imageOf(requested, {
      type: "ImageVersionResolved",
      data: { fetchId, ...resolved, version: { tag: "v2", digest }, reference: full },
    });
    expect(row).toMatchObject({ repository: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app", tag: "v2" });
    const ported = { ...resolved, version: { digest }, reference: `localhost:5000/app@${digest}` };
    expect(imageOf({ type: "ImageVersionResolved", data: { fetchId, ...ported } })).toMatchObject({
      repository: "localhost:5000/app",
    });
  });

  test("record the version of an artifact too, whatever its type", () => {
    const git: ResolvedVersion = { version: { ref: "ab12" }, via: "step", pinned: true, rejected: [] };
    const row = imageOf(
      { type: "FetchRequested", data: { ...request, type: "git" } },
      { type: "ImageVersionResolved", data: { fetchId, ...git } },
      { type: "ArtifactFetched", data: { fetchId, artifact: "volume-1" } },
    );
    expect(row).toMatchObject({
      version: { ref: "ab12" },
      via: "step",
      state: "fetched",
      artifact: "volume-1",
      endedAt: at(2),
    });
    expect(row).not.toHaveProperty("digest");
    expect(row).not.toHaveProperty("reference");
  });

  test("keep enough to explain the version when the log is gone", () => {
    const row = imageOf(requested, versionResolved);
    expect(row && explainImage(row)).toEqual(explainVersion(resolved, request));
  });

  test("keep the failure, and the reason of an abort", () => {
    const failed = imageOf(requested, { type: "FetchFailed", data: { fetchId, failure } });
    expect(failed).toMatchObject({ state: "failed", failure, endedAt: at(1) });
    const aborted = imageOf(requested, { type: "FetchAborted", data: { fetchId, reason: "the build was aborted" } });
    expect(aborted).toMatchObject({
      state: "aborted",
      failure: { code: "FI_ABORTED", message: "the fetch was aborted: the build was aborted" },
      endedAt: at(1),
    });
  });

  test("name the state of an unfinished fetch", () => {
    const evidence = { via: "HEAD", observedAt: at(0) } as const;
    const checkFailed: BuildFact = { type: "ImageCheckFailed", data: { fetchId, failure } };
    const allowed = (phase: "request" | "digest"): BuildFact => ({
      type: "PolicyDecided",
      data: { fetchId, phase, decision: "allowed", reasons: [] },
    });
    expect([
      stateAfter({ type: "FetchRequested", data: { ...request, policy: true } }),
      stateAfter(requested),
      stateAfter({ type: "FetchRequested", data: { ...unchecked, version } }),
      stateAfter(requested, allowed("request")),
      stateAfter(requested, { type: "CheckJoined", data: { fetchId, asker } }),
      stateAfter(
        requested,
        { type: "CheckJoined", data: { fetchId, asker } },
        { type: "TimerFired", data: { fetchId, timer: "patience" } },
      ),
      stateAfter(requested, checkFailed),
      stateAfter(requested, checkFailed, { type: "TimerFired", data: { fetchId, timer: "backoff" } }),
      stateAfter(requested, { type: "ImageChecked", data: { fetchId, version, evidence, rejected: [] } }),
      stateAfter(requested, versionResolved, allowed("digest")),
      stateAfter(requested, versionResolved, { type: "ArtifactFetchFailed", data: { fetchId, failure } }),
    ]).toEqual([
      "authorizing",
      "checking",
      "resolving",
      "checking",
      "waiting",
      "checking",
      "backing-off",
      "backing-off",
      "resolving",
      "fetching-artifact",
      "backing-off",
    ]);
  });

  test("never make a version of the scope, neither fresh, joined nor pinned ones", () => {
    const pin: ResolvedVersion = { version, reference, via: "pin", pinned: true, rejected: [] };
    const facts = build(requested, versionResolved, { type: "ImageVersionResolved", data: { fetchId, ...pin } });
    expect(projectFacts(facts)).toMatchObject({ scopes: [], versions: [] });
  });

  test("of a tag without a digest record no digest", () => {
    const tag: ResolvedVersion = {
      version: { tag: "v1.2", digest: "latest" },
      via: "tag",
      pinned: false,
      rejected: [],
    };
    expect(imageOf(requested, { type: "ImageVersionResolved", data: { fetchId, ...tag } })).not.toHaveProperty(
      "digest",
    );
  });
});

describe("a scope's facts", () => {
  const claimed = {
    type: "CheckClaimed" as const,
    data: {
      scope: "5c0be",
      type: "registry-image",
      repository: "registry.example.com/my-resource",
      tag: "v1.2",
      source: { tag: "v1.2" },
      credential: null,
      asker,
      until: at(30),
    },
  };
  const observed = (digest: string, changed: boolean) => ({
    type: "VersionObserved" as const,
    data: {
      version: { tag: "v1.2", digest },
      changed,
      via: "HEAD" as const,
      host: "registry.example.com",
      status: 200,
      asker,
    },
  });
  const observation = (revision: number, outcome: ObservationOutcome, of: string): ObservationRow => ({
    scope: "5c0be",
    revision: BigInt(revision),
    outcome,
    observedAt: at(revision),
    ...asker,
    node: "node-a/1",
    tag: "v1.2",
    digest: of,
    via: "HEAD",
    host: "registry.example.com",
    status: 200,
  });

  test("give the scope, and its versions in the order in which they became current", () => {
    const facts = scope(
      claimed,
      observed(digest, true),
      observed(digest, false),
      observed(other, true),
      observed(digest, true),
    );
    expect(projectFacts(facts)).toEqual({
      builds: [],
      images: [],
      scopes: [
        {
          scope: "5c0be",
          type: "registry-image",
          repository: "registry.example.com/my-resource",
          tag: "v1.2",
          credential: "anonymous",
          source: { tag: "v1.2" },
          lastCheckedAt: at(4),
        },
      ],
      versions: [
        { scope: "5c0be", tag: "v1.2", digest, checkOrder: 4n, firstObservedAt: at(1), lastObservedAt: at(4) },
        { scope: "5c0be", tag: "v1.2", digest: other, checkOrder: 3n, firstObservedAt: at(3), lastObservedAt: at(3) },
      ],
      observations: [
        observation(1, "changed", digest),
        observation(2, "same", digest),
        observation(3, "changed", other),
        observation(4, "changed", digest),
      ],
    });
  });

  test("leave the order of a version that was only seen again", () => {
    expect(projectFacts(scope(observed(digest, false))).versions).toEqual([
      { scope: "5c0be", tag: "v1.2", digest, firstObservedAt: at(0), lastObservedAt: at(0) },
    ]);
  });

  test("keep the first and the last time of a version where the nodes' clocks differ", () => {
    const [early, late] = scope(observed(digest, true), observed(digest, false));
    if (early === undefined || late === undefined) throw new Error("two facts were made");
    expect(projectFacts([late, early]).versions).toMatchObject([{ firstObservedAt: at(0), lastObservedAt: at(1) }]);
  });

  test("keep the last failure with its time, a tag that is gone among them", () => {
    const { scopes, versions } = projectFacts(
      scope(observed(digest, true), { type: "CheckFailed", data: { failure, asker } }),
    );
    expect(scopes).toEqual([{ scope: "5c0be", lastCheckedAt: at(1), lastFailure: { at: at(1), failure, asker } }]);
    expect(versions).toMatchObject([{ lastObservedAt: at(0) }]);

    const gone = projectFacts(
      scope({ type: "VersionVanished", data: { tag: "v1.2", host: "registry.example.com", status: 404, asker } }),
    );
    expect(gone.scopes).toMatchObject([
      {
        lastCheckedAt: at(0),
        lastFailure: {
          failure: { code: "FI_IMAGE_UNKNOWN", message: "registry.example.com answered 404: the tag v1.2 is gone" },
        },
      },
    ]);
    expect(gone.versions).toEqual([]);
    const by = { scope: "5c0be", revision: 0n, observedAt: at(0), ...asker, node: "node-a/1" };
    const where = { host: "registry.example.com", status: 404 };
    expect(gone.observations).toEqual([{ ...by, outcome: "vanished", tag: "v1.2", ...where }]);
    const failed = projectFacts(scope({ type: "CheckFailed", data: { failure, asker } }));
    expect(failed.observations).toEqual([{ ...by, outcome: "failed", failure }]);
  });

  test("tell who asked, and what to pull from where only the login told it", () => {
    const data = { ...claimed.data, credential: "cred-35dae34ab047" };
    const pulled = observed(digest, true);
    const { scopes } = projectFacts(
      scope(
        { type: "CheckClaimed", data },
        { ...pulled, data: { ...pulled.data, repository: "123.dkr.ecr.test/app" } },
      ),
    );
    expect(scopes).toMatchObject([{ credential: "cred-35dae34ab047", pullRepository: "123.dkr.ecr.test/app" }]);
  });

  test("of a rate limit change nothing", () => {
    expect(
      projectFacts(scope({ type: "RateLimitObserved", data: { host: "registry.example.com", limit: 100 } })),
    ).toEqual({
      builds: [],
      images: [],
      scopes: [],
      versions: [],
      observations: [],
    });
  });
});
