// The shapes that a stream can have today, from which test/histories/v1 was written. What is written is kept for ever;
// this file may change as long as what it makes is only added.
import {
  type BuildFactData,
  type CheckEvidence,
  type Failure,
  formatTime,
  type RegistryFact,
  type ScopeFact,
  type Version,
} from "@fetch-image/core";
import {
  aPinnedRequest,
  aRequest,
  aRequestOfOtherType,
  digestA,
  digestB,
  type InputFor,
  inputs,
  lastingFailure,
  passingFailure,
} from "../support/fetch-facts.ts";
import { BuildHistory, RegistryHistory, ScopeHistory } from "../support/stream-histories.ts";

const version = { tag: "v1", digest: digestA };
const policed = { policy: true };
const asker = { buildId: "123", fetchId: "f1/image-get" };
const other = { buildId: "122", fetchId: "e1/image-get" };
const { checkPlan: _checkPlan, ...pinnedOfAnotherType } = aRequestOfOtherType({ version: { ref: "8d3f1c77" } });

const task = { id: "f1" };
const goTest = {
  platform: "linux",
  run: { path: "go", args: ["test", "./..."], dir: "pr" },
  inputs: [{ name: "pr" }],
};

/** Streams of builds, by the name of their file. */
export const builds: { readonly [name: string]: () => BuildHistory } = {
  "short-circuited-cold": () =>
    planned()
      .request(aRequest({ credentials: true }))
      .wait(140)
      .take(
        seen(version, {
          credential: "cred-0123456789ab",
          rateLimit: { limit: 100, remaining: 76, windowSeconds: 21_600 },
        }),
      ),
  "what-ran": () =>
    planned()
      .request(aRequest())
      .wait(140)
      .take(seen(version))
      .wait(2_000)
      .ran({ imageID: `registry.test/app@${digestA}`, pod: "ci-unit-b7-task-1", digest: digestA, outcome: "same" })
      .ran({ imageID: `registry.test/app@${digestB}`, digest: digestB, outcome: "platform" })
      .ran({ imageID: `registry.test/other@${digestB}`, digest: digestB, outcome: "different" })
      .ran({ imageID: "", outcome: "unknown", reason: "the runtime names no digest" }),
  "short-circuited-by-get": () =>
    planned()
      .request(aRequest())
      .wait(300)
      .take(seen(version, { via: "GET" })),
  fresh: () =>
    planned()
      .wait(41_000)
      .request(aRequest())
      .take(inputs.checked(version, { via: "fresh", asker: other })),
  joined: () =>
    planned()
      .request(aRequest())
      .take(inputs.joined())
      .wait(90)
      .take(inputs.checked(version, { via: "joined", asker: other })),
  "stale-served-to-spare-requests": () =>
    planned()
      .wait(600_000)
      .request(aRequest())
      .take(
        inputs.checked(version, {
          via: "stale-served",
          asker: other,
          rateLimit: { limit: 100, remaining: 7, windowSeconds: 21_600 },
          stale: { because: "budget", boundMs: 3_600_000 },
        }),
      ),
  "stale-served-in-a-pause": () =>
    planned()
      .wait(600_000)
      .request(aRequest())
      .take((now) =>
        inputs.checked(version, {
          via: "stale-served",
          asker: other,
          stale: { because: "retry-after", boundMs: 3_600_000, until: formatTime(now + 60_000) },
        }),
      ),
  "stale-served-while-the-registry-fails": () =>
    planned()
      .wait(600_000)
      .request(aRequest())
      .take((now) =>
        inputs.checked(version, {
          via: "stale-served",
          asker: other,
          stale: {
            because: "failing",
            boundMs: 3_600_000,
            until: formatTime(now + 8000),
            error: { code: passingFailure.code, message: passingFailure.message },
          },
        }),
      ),
  "stale-served-while-revalidated": () =>
    planned()
      .wait(600_000)
      .request(aRequest())
      .take(
        inputs.checked(version, {
          via: "stale-served",
          asker: other,
          stale: { because: "revalidating", boundMs: 900_000 },
        }),
      ),
  "newest-of-many-tags": () =>
    planned()
      .request(aRequest())
      .wait(140)
      .take(seen(version, { among: { by: "semver", listed: 5000, candidates: 212, asked: 3 } })),
  "joined-in-vain": () =>
    planned()
      .request(aRequest())
      .take(inputs.joined())
      .wait(15_000)
      .take(inputs.timer("patience"))
      .wait(120)
      .take(seen(version)),
  "joined-a-failure": () =>
    planned()
      .request(aRequest())
      .take(inputs.joined())
      .wait(90)
      .take(inputs.checkFailed(passingFailure))
      .wait(1000)
      .take(inputs.timer("backoff"))
      .wait(120)
      .take(seen(version)),
  pinned: () => planned().request(aPinnedRequest(version)),
  "pinned-without-tag": () => planned().request(aPinnedRequest({ digest: digestB }, { kind: "type" })),
  "pinned-without-digest": () => planned().request(aPinnedRequest({ tag: "v2" })),
  "unpinned-fallback-to-tag": () =>
    planned()
      .request(aRequest({ checker: "step" }))
      .wait(2500)
      .take(seen({ tag: "v9" }, { via: "step" })),
  "unpinned-fallback-to-latest": () => {
    const { tag: _tag, ...untagged } = aRequest({ checker: "step", source: { repository: "registry.test/app" } });
    return planned()
      .request(untagged)
      .wait(2500)
      .take(seen({ tag: "v9" }, { via: "step" }));
  },
  "fallback-to-plan-version": () =>
    planned()
      .request(aRequest({ checker: "step", version: { tag: "v1", digest: digestB } }))
      .wait(2500)
      .take(seen({ tag: "v9" }, { via: "step" })),
  "check-before-plan-version": () =>
    planned()
      .request(aRequest({ version: { tag: "v1", digest: digestB } }))
      .wait(140)
      .take(seen(version)),
  "type-nested": () => {
    const inner = aRequest({ fetchId: "f1/image-get/image-get", planId: "f1/image-get", kind: "type", name: "inner" });
    const outer = aRequest({ kind: "type", name: "outer", privileged: true });
    return planned()
      .request(inner)
      .wait(140)
      .take(seen(version), inner.fetchId)
      .request(outer)
      .wait(130)
      .take(seen({ tag: "v1", digest: digestB }), outer.fetchId);
  },
  "physical-of-another-type": () => {
    const build = planned()
      .request(aRequestOfOtherType({ privileged: true }))
      .wait(900);
    printed(build, "f1/image-check", "stderr", "Cloning into '/tmp/git-resource-repo-cache'...\n");
    build
      .wait(1600)
      .take(seen({ ref: "8d3f1c77" }, { via: "step" }))
      .wait(4000);
    printed(build, "f1/image-get", "stdout", "8d3f1c7 Build the image\n");
    return build.take(inputs.fetched());
  },
  "physical-of-another-type-pinned": () => planned().request(pinnedOfAnotherType).wait(4000).take(inputs.fetched()),
  "native-off": () =>
    planned()
      .request(aRequest({ native: false }))
      .wait(140)
      .take(seen(version))
      .wait(9000)
      .take(inputs.fetched()),
  "artifact-wanted": () =>
    planned()
      .request(aRequest({ artifactWanted: true }))
      .wait(140)
      .take(seen(version))
      .wait(9000)
      .take(inputs.fetched()),
  "artifact-run-by-its-digest": () => {
    const build = planned()
      .request(aRequest({ artifactWanted: true }))
      .wait(140)
      .take(seen(version))
      .wait(9000)
      .take(inputs.fetched());
    const [reference = ""] = [...build.states.values()].flatMap(({ resolved }) => resolved?.reference ?? []);
    const fetchedBy = [...build.states.keys()][0] ?? "";
    return artifactImage(build, { via: "registry", fetchedBy, reference });
  },
  "artifact-pushed": () => {
    const reference = `registry.test/builds/main/website/image:b123-f1@${digestA}`;
    return artifactImage(planned().wait(9000), { via: "push", reference, uploadedBytes: 4096 });
  },
  "source-unsupported": () =>
    planned()
      .request(
        aRequest({
          checker: "step",
          source: { repository: "registry.test/app", tag_regex: "^v1\\." },
          unsupported: { field: "tag_regex", reason: "every tag must be listed and matched" },
        }),
      )
      .wait(2500)
      .take(seen({ tag: "v1.4", digest: digestA }, { via: "step" }))
      .wait(9000)
      .take(inputs.fetched()),
  "check-retried": () =>
    planned()
      .request(aRequest())
      .wait(140)
      .take(inputs.checkFailed())
      .wait(750)
      .take(inputs.timer("backoff"))
      .wait(140)
      .take(inputs.checkFailed({ ...passingFailure, code: "FI_RATE_LIMITED", message: "registry.test: 429" }, 30_000))
      .wait(30_000)
      .take(inputs.timer("backoff"))
      .wait(140)
      .take(seen(version)),
  "get-retried": () =>
    planned()
      .request(aRequest({ native: false }))
      .wait(140)
      .take(seen(version))
      .wait(5000)
      .take(inputs.getFailed())
      .wait(750)
      .take(inputs.timer("backoff"))
      .wait(9000)
      .take(inputs.fetched()),
  "check-failed": () => planned().request(aRequest()).wait(140).take(inputs.checkFailed(lastingFailure)),
  "check-failed-too-often": () =>
    planned()
      .request(aRequest({ retry: { ...aRequest().retry, attempts: 2 } }))
      .wait(140)
      .take(inputs.checkFailed())
      .wait(750)
      .take(inputs.timer("backoff"))
      .wait(140)
      .take(inputs.checkFailed()),
  "check-failed-for-too-long": () =>
    planned()
      .request(aRequest())
      .wait(140)
      .take(
        inputs.checkFailed({ ...passingFailure, code: "FI_RATE_LIMITED", message: "registry.test: 429" }, 3_600_000),
      ),
  "get-failed": () =>
    planned()
      .request(aRequest({ artifactWanted: true }))
      .wait(140)
      .take(seen(version))
      .wait(9000)
      .take(inputs.getFailed(lastingFailure)),
  "policy-allowed": () =>
    planned()
      .request(aRequest(policed))
      .wait(20)
      .take(inputs.allowed("request"))
      .wait(140)
      .take(seen(version))
      .wait(20)
      .take(inputs.allowed("digest")),
  "policy-allowed-pinned": () =>
    planned()
      .request(aPinnedRequest(version, policed))
      .wait(20)
      .take(inputs.allowed("request"))
      .wait(20)
      .take(inputs.allowed("digest")),
  "policy-allowed-of-another-type": () =>
    planned()
      .request(aRequestOfOtherType(policed))
      .wait(20)
      .take(inputs.allowed("request"))
      .wait(2500)
      .take(seen({ ref: "8d3f1c77" }, { via: "step" }))
      .wait(4000)
      .take(inputs.fetched()),
  "policy-denied": () => planned().request(aRequest(policed)).wait(20).take(inputs.denied("request", "hard")),
  "policy-denied-softly": () =>
    planned()
      .request(aRequest(policed))
      .wait(20)
      .take(inputs.denied("request", "soft"))
      .wait(140)
      .take(seen(version))
      .wait(20)
      .take(inputs.denied("digest", "soft")),
  "policy-denied-on-digest": () =>
    planned()
      .request(aRequest(policed))
      .wait(20)
      .take(inputs.allowed("request"))
      .wait(140)
      .take(seen(version))
      .wait(20)
      .take(inputs.denied("digest", "hard")),
  "policy-unanswered": () => planned().request(aRequest(policed)).wait(5000).take(inputs.unanswered("request")),
  aborted: () => planned().request(aRequest()).wait(70).take(inputs.aborted()),
  "aborted-while-backing-off": () =>
    planned().request(aRequest()).wait(140).take(inputs.checkFailed()).wait(70).take(inputs.aborted()),
  "in-flight": () => planned().request(aRequest()),
  "scheduled-task": () =>
    planned()
      .save({ event: "status", data: { status: "started" } }, "started")
      .wait(30)
      .save({ event: "initialize-task", data: { origin: task } })
      .request(aRequest())
      .wait(140)
      .take(seen(version))
      .save({ event: "selected-worker", data: { origin: task, selected_worker: "k8s-ci" } })
      .save({ event: "start-task", data: { origin: task, config: goTest } })
      .wait(900)
      .save({
        event: "log",
        data: { origin: { ...task, source: "stdout" }, payload: "ok  \texample.com/<app>\t0.3s\n" },
      })
      .save({ event: "finish-task", data: { origin: task, exit_status: 0 } })
      .save({ event: "status", data: { status: "succeeded" } }, "ended")
      .seal(),
  "scheduled-and-aborted": () => {
    const build = planned()
      .save({ event: "status", data: { status: "started" } })
      .request(aRequest())
      .wait(2000);
    build.save({ event: "status", data: { status: "aborted" } }).seal();
    return build.take(inputs.aborted());
  },
  "adopted-with-fetches-in-parallel": () => {
    const [one, two, three] = ["f1/image-get", "f2/image-get", "f3/image-get"];
    return planned()
      .request(aRequest({ fetchId: one }))
      .request(aPinnedRequest(version, { fetchId: two }))
      .wait(140)
      .take(inputs.checkFailed(), one)
      .request(aRequest({ fetchId: three, native: false }))
      .adopt("node-b")
      .wait(750)
      .take(inputs.timer("backoff"), one)
      .wait(140)
      .take(seen(version), three)
      .take(seen(version), one)
      .wait(9000)
      .take(inputs.fetched(), three);
  },
};

/** Streams of scopes. */
export const scopes: { readonly [name: string]: () => ScopeHistory } = {
  "observed-once": () =>
    new ScopeHistory().append(claimed(asker, "2026-11-22T04:40:15.000Z")).wait(140).append(observed()),
  moved: () =>
    new ScopeHistory()
      .append(claimed(other, "2026-11-22T04:40:15.000Z"), { buildId: "122" })
      .wait(140)
      .append(observed(digestA, "HEAD", other), { buildId: "122" })
      .wait(60_000)
      .append(claimed(asker, "2026-11-22T04:41:15.140Z"))
      .wait(300)
      .append(observed(digestB, "GET")),
  vanished: () =>
    new ScopeHistory()
      .append(claimed(asker, "2026-11-22T04:40:15.000Z"))
      .wait(140)
      .append(observed())
      .wait(60_000)
      .append({ type: "VersionVanished", data: { tag: "v1", host: "registry.test", status: 404, asker } }),
  failed: () =>
    new ScopeHistory()
      .append(claimed(asker, "2026-11-22T04:40:15.000Z"))
      .wait(140)
      .append({ type: "CheckFailed", data: { failure: passingFailure, retryAfterMs: 30_000, asker } }),
  "failed-late": () =>
    new ScopeHistory()
      .append(claimed(other, "2026-11-22T04:40:15.000Z"), { buildId: "122", node: "node-b" })
      .wait(16_000)
      .append(claimed(asker, "2026-11-22T04:40:31.000Z"))
      .wait(140)
      .append(
        { type: "CheckFailed", data: { failure: passingFailure, asker: other } },
        { buildId: "122", node: "node-b" },
      ),
  "failed-again-and-again": () =>
    new ScopeHistory()
      .append(claimed(asker, "2026-11-22T04:40:15.000Z"))
      .wait(140)
      .append(observed())
      .wait(60_000)
      .append(claimed(other, "2026-11-22T04:41:15.140Z"), { buildId: "122", node: "node-b" })
      .wait(200)
      .append(
        { type: "CheckFailed", data: { failure: passingFailure, asker: other } },
        { buildId: "122", node: "node-b" },
      )
      .wait(1000)
      .append(claimed(asker, "2026-11-22T04:41:16.340Z"))
      .wait(200)
      .append({ type: "CheckFailed", data: { failure: passingFailure, asker } }),
  "rate-limited": () =>
    new ScopeHistory()
      .append(claimed(asker, "2026-11-22T04:40:15.000Z"))
      .wait(140)
      .append(observed())
      .append({
        type: "RateLimitObserved",
        data: { host: "registry.test", limit: 100, remaining: 76, windowSeconds: 21_600 },
      }),
};

/** Streams of registries. */
export const registries: { readonly [name: string]: () => RegistryHistory } = {
  "failed-at-two-scopes": () =>
    new RegistryHistory().append(registryFailed("5c0be")).wait(300).append(registryFailed("0ff1ce")),
  "asked-for-a-pause": () =>
    new RegistryHistory().append(
      registryFailed(
        "5c0be",
        { code: "FI_RATE_LIMITED", message: "registry.test answered 429", retryable: true },
        30_000,
      ),
    ),
  "back-again": () =>
    new RegistryHistory()
      .append(registryFailed("5c0be", unreachable))
      .wait(1000)
      .append(
        { type: "RegistryProbed", data: { scope: "0ff1ce", asker: other, until: "2026-11-22T04:40:31.000Z" } },
        { buildId: "122", node: "node-b" },
      )
      .wait(140)
      .append(
        { type: "RegistryAnswered", data: { host: "registry.test", scope: "0ff1ce", asker: other } },
        { buildId: "122", node: "node-b" },
      ),
  "tried-in-vain": () =>
    new RegistryHistory()
      .append(registryFailed("5c0be", unreachable))
      .wait(1000)
      .append({ type: "RegistryProbed", data: { scope: "5c0be", asker, until: "2026-11-22T04:40:31.000Z" } })
      .wait(140)
      .append(registryFailed("5c0be", unreachable, undefined, "2026-11-22T04:40:01.000Z")),
};

const unreachable = { code: "FI_REGISTRY_UNREACHABLE", message: "registry.test refused", retryable: true };

function registryFailed(
  scope: string,
  failure: Failure = passingFailure,
  retryAfterMs?: number,
  askedAt = "2026-11-22T04:39:59.900Z",
): RegistryFact {
  const registry = "registry.test";
  const told = retryAfterMs === undefined ? {} : { retryAfterMs };
  const data = { registry, host: registry, credential: null, scope, failure, ...told, askedAt, asker };
  return { type: "RegistryFailed", data };
}

function artifactImage(
  build: BuildHistory,
  resolved: Omit<BuildFactData<"ArtifactImageResolved">, "planId" | "artifact">,
): BuildHistory {
  const data = { planId: "f1", artifact: "image", ...resolved };
  build.append({ type: "ArtifactImageResolved", data }, "artifact-image\nf1");
  return build;
}

function planned(): BuildHistory {
  const plan = { id: "f0", do: [{ id: "f1", task: { name: "unit", privileged: false } }] };
  const build = new BuildHistory();
  build.append({ type: "BuildPlanned", data: { buildId: build.buildId, plan } }, "planned");
  return build;
}

/** An answer that the registry, or a check step, gives just now. */
function seen(found: Version, evidence: Partial<CheckEvidence> = {}): (now: number) => InputFor {
  return (now) => inputs.checked(found, { observedAt: formatTime(now), ...evidence });
}

function printed(build: BuildHistory, planId: string, origin: "stdout" | "stderr", text: string): void {
  const fetchId = "f1/image-get";
  build.append({ type: "OutputWritten", data: { fetchId, planId, origin, text } }, `output\n${build.facts.length}`);
}

function claimed(by: typeof asker, until: string): ScopeFact {
  const source = { repository: "registry.test/app", tag: "v1" };
  const question = { type: "registry-image", repository: "registry.test/app", tag: "v1", source, credential: null };
  return { type: "CheckClaimed", data: { scope: "0123456789abcdef0123456789abcdef", ...question, asker: by, until } };
}

function observed(digest = digestA, via: "HEAD" | "GET" = "HEAD", by = asker): ScopeFact {
  const answer = { version: { tag: "v1", digest }, changed: true, via, host: "registry.test", status: 200, asker: by };
  return { type: "VersionObserved", data: answer };
}
