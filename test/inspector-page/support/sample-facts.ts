// Builds and scopes as a page is shown them: every way that a fetch can go, and the log and the tags around it.
import { formatTime, type RecordedFact } from "@fetch-image/core";
import { aPinnedRequest, aRequest, inputs, startOfTests } from "../../support/fetch-facts.ts";
import { BuildHistory, ScopeHistory } from "../../support/stream-histories.ts";

export interface Sample {
  readonly builds: readonly BuildHistory[];
  readonly scopes: readonly ScopeHistory[];
  /** Milliseconds since the epoch: a little after the last fact. */
  readonly now: number;
}

/** As digests are: 64 hexadecimal digits, the same for the same seed. */
function digestOf(seed: number): string {
  let state = seed * 2_654_435_761 + 1;
  const digits = Array.from({ length: 64 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 28).toString(16);
  });
  return `sha256:${digits.join("")}`;
}

const scopeOf = (seed: number): string => digestOf(seed).slice(7, 39);
const goScope = scopeOf(101);

function imageOf(fetchId: string, repository: string, tag: string, changes: Parameters<typeof aRequest>[0] = {}) {
  const path = repository.split("/").at(-1) ?? repository;
  return aRequest({
    fetchId,
    name: path,
    repository,
    tag,
    source: { repository, tag },
    scope: repository.endsWith("golang") ? goScope : scopeOf(repository.length + tag.length),
    ...changes,
  });
}

const unavailable = {
  code: "FI_REGISTRY_UNAVAILABLE",
  message: "ghcr.io answered 503 to HEAD /v2/acme/build-tools/manifests/v3",
  hint: "Try again later.",
  retryable: true,
  details: { host: "ghcr.io", status: 503 },
};

/** A cold check that fails once, the tests' own output, and a fetch beside it whose bytes are wanted. */
function retriedBuild(): BuildHistory {
  const build = new BuildHistory("1042");
  const [task, type, bytes] = ["2/image-get", "3/image-get", "4/image-get"];
  const steps = [
    { id: "2", task: { name: "unit tests", privileged: false } },
    { id: "3", put: { name: "notify", type: "slack" } },
    { id: "4", task: { name: "package", privileged: true } },
  ];
  build.append({ type: "BuildPlanned", data: { buildId: "1042", plan: { id: "1", do: steps } } }, "planned");
  build.save({ event: "status", data: { status: "started" } });
  build.save({ event: "initialize-task", data: { origin: { id: "2" } } });
  build.wait(12).request(imageOf(task, "ghcr.io/acme/build-tools", "v3", { policy: true }));
  build.wait(38).take(inputs.allowed("request"), task);
  build.wait(4).request(imageOf(type, "ghcr.io/acme/slack-resource", "latest", { kind: "type", name: "slack" }));
  build.wait(20).take(inputs.joined("1041"), type);
  build.wait(412).take(inputs.checkFailed(unavailable, 500), task);
  build.wait(750).take(inputs.timer("backoff"), task);
  build.wait(96).take(
    (now) =>
      inputs.checked(
        { tag: "v3", digest: digestOf(3) },
        {
          host: "ghcr.io",
          status: 200,
          observedAt: formatTime(now),
          credential: "cred-5f1c22",
          rateLimit: { limit: 100, remaining: 14, windowSeconds: 21_600 },
        },
      ),
    task,
  );
  build.wait(7).take(inputs.allowed("digest"), task);
  build.wait(30).take(
    (now) =>
      inputs.checked(
        { tag: "latest", digest: digestOf(8) },
        {
          via: "joined",
          host: "ghcr.io",
          status: 200,
          observedAt: formatTime(now - 20),
          asker: { buildId: "1041", fetchId: "2/image-get" },
        },
      ),
    type,
  );
  build.wait(120).save({ event: "selected-worker", data: { origin: { id: "2" }, selected_worker: "node-7" } });
  const config = { platform: "linux", run: { path: "go", args: ["test", "./..."] } };
  build.save({ event: "start-task", data: { origin: { id: "2" }, config } });
  for (const [index, name] of ["api", "billing", "mail", "search", "store", "web"].entries()) {
    const payload = `ok  \tacme.example/shop/${name}\t0.${index + 2}1s\n`;
    build.wait(210).save({ event: "log", data: { origin: { id: "2", source: "stdout" }, payload } });
  }
  build.wait(40).save({ event: "finish-task", data: { origin: { id: "2" }, exit_status: 0 } });
  build.wait(15).request(imageOf(bytes, "docker.io/library/golang", "1.23", { artifactWanted: true }));
  build.wait(80).take(
    (now) =>
      inputs.checked(
        { tag: "1.23", digest: digestOf(4) },
        {
          via: "stale-served",
          host: "registry-1.docker.io",
          status: 200,
          observedAt: formatTime(now - 5_400_000),
          rateLimit: { limit: 100, remaining: 3, windowSeconds: 21_600 },
          stale: { because: "budget", boundMs: 86_400_000 },
        },
      ),
    bytes,
  );
  for (const layer of [1, 2, 3]) {
    const text = `layer ${layer} of 6: 48 MiB\n`;
    const written = { fetchId: bytes, planId: bytes, origin: "stderr" as const, text };
    build.wait(350).append({ type: "OutputWritten", data: written }, `output\n${layer}`);
  }
  return build;
}

function failedBuild(): BuildHistory {
  const build = new BuildHistory("1041");
  build.save({ event: "status", data: { status: "started" } });
  build
    .wait(9)
    .request(imageOf("2/image-get", "ghcr.io/acme/slack-resource", "latest", { kind: "type", name: "slack" }));
  build
    .wait(200)
    .take((now) =>
      inputs.checked({ tag: "latest", digest: digestOf(8) }, { observedAt: formatTime(now), host: "ghcr.io" }),
    );
  build.wait(40).request(imageOf("3/image-get", "registry.internal/team/app", "v9"));
  const gone = {
    code: "FI_IMAGE_UNKNOWN",
    message: "registry.internal has no team/app:v9",
    hint: "Push the tag, or correct it in the pipeline.",
    retryable: false,
    details: { host: "registry.internal", status: 404 },
  };
  build.wait(61).take(inputs.checkFailed(gone), "3/image-get");
  build.save({ event: "status", data: { status: "errored" } }).seal();
  return build;
}

function pinnedBuild(): BuildHistory {
  const build = new BuildHistory("1040");
  build.save({ event: "status", data: { status: "started" } });
  const pinned = { digest: digestOf(6), tag: "20" };
  build
    .wait(5)
    .request(
      aPinnedRequest(pinned, { fetchId: "2/image-get", name: "node", repository: "docker.io/library/node", tag: "20" }),
    );
  build.wait(30).request(imageOf("3/image-get", "docker.io/library/postgres", "16"));
  build.wait(900).take(inputs.aborted(), "3/image-get");
  build.save({ event: "status", data: { status: "aborted" } }).seal();
  return build;
}

function waitingBuild(): BuildHistory {
  const build = new BuildHistory("1043");
  build.save({ event: "status", data: { status: "started" } });
  build.wait(20).request(imageOf("2/image-get", "ghcr.io/acme/deploy", "stable"));
  build.wait(3).request(imageOf("3/image-get", "ghcr.io/acme/build-tools", "v4"));
  build
    .wait(12)
    .take({ type: "CheckJoined", data: { asker: { buildId: "1042", fetchId: "2/image-get" } } }, "3/image-get");
  build.wait(300).take(inputs.checkFailed({ ...unavailable, message: "ghcr.io answered 503" }, 40_000), "2/image-get");
  return build;
}

/** A tag that moved twice, vanished once, and could not be asked for at times. */
function golangScope(): ScopeHistory {
  const scope = new ScopeHistory(goScope);
  const asker = { buildId: "1042", fetchId: "4/image-get" };
  const claim = (): void => {
    scope.append({
      type: "CheckClaimed",
      data: {
        scope: goScope,
        type: "registry-image",
        repository: "docker.io/library/golang",
        tag: "1.23",
        source: { repository: "docker.io/library/golang", tag: "1.23" },
        credential: null,
        asker,
        until: formatTime(scope.now + 60_000),
      },
    });
  };
  let left = 100;
  const observe = (digest: string, changed: boolean): void => {
    claim();
    const host = "registry-1.docker.io";
    const version = { tag: "1.23", digest };
    scope.append({ type: "VersionObserved", data: { version, changed, via: "HEAD", host, status: 200, asker } });
    left -= 4;
    scope.append({ type: "RateLimitObserved", data: { host, limit: 100, remaining: left, windowSeconds: 21_600 } });
  };
  observe(digestOf(1), true);
  for (let day = 0; day < 5; day++) {
    scope.wait(21_600_000);
    observe(digestOf(1), false);
  }
  scope.wait(30_000_000);
  observe(digestOf(2), true);
  scope.wait(9_000_000);
  claim();
  scope.append({ type: "CheckFailed", data: { failure: unavailable, asker } });
  scope.wait(40_000_000);
  observe(digestOf(2), false);
  scope.wait(14_000_000);
  claim();
  scope.append({
    type: "VersionVanished",
    data: { tag: "1.23", host: "registry-1.docker.io", status: 404, asker },
  });
  scope.wait(7_000_000);
  observe(digestOf(4), true);
  for (let hour = 0; hour < 8; hour++) {
    scope.wait(3_600_000);
    observe(digestOf(4), false);
  }
  return scope;
}

/** What the pictures show. Builds begin one after the other, the newest last. */
export function sampleFacts(): Sample {
  const scope = golangScope();
  const now = scope.now + 60_000;
  const builds = [pinnedBuild(), failedBuild(), retriedBuild(), waitingBuild()].map((build, index, all) => {
    return shifted(build, now - 3000 - (all.length - index) * 45_000);
  });
  return { builds, scopes: [scope], now };
}

/** The build as if it had been opened at another time. */
function shifted(build: BuildHistory, opened: number): BuildHistory {
  const by = opened - startOfTests;
  const text = JSON.stringify(build.facts, (_key, value: unknown) =>
    typeof value === "bigint" ? Number(value) : value,
  );
  const moved = text.replaceAll(/\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, (time) =>
    formatTime(Date.parse(time) + by),
  );
  const facts = (JSON.parse(moved) as (RecordedFact & { revision: number })[]).map((fact) => {
    return { ...fact, revision: BigInt(fact.revision) };
  });
  build.facts.splice(0, build.facts.length, ...(facts as unknown as typeof build.facts));
  build.now += by;
  return build;
}
