import { describe, expect, test } from "vitest";
import type { BuildFactData } from "../facts/build-facts.ts";
import type {
  BuildFact,
  CheckEvidence,
  Failure,
  FetchRequest,
  RecordedBuildFact,
  UnknownFact,
} from "../facts/facts.ts";
import { formatTime, parseTime } from "../facts/time.ts";
import type { FetchInput } from "../fetch-image/codec.ts";
import { replayBuild } from "../fetch-image/replay.ts";
import { begin, type FetchState, step } from "../fetch-image/step.ts";
import { isBuildFact } from "../projections/decode-fact.ts";
import { renderFact } from "./render-fact.ts";
import { renderBuildLog, renderers } from "./render-text.ts";

const t0 = parseTime("2026-11-22T04:40:00.000Z");
const digest = `sha256:${"1f".repeat(32)}`;

/** A build's stream, made as the engine makes it: each fact followed by what the machine says. */
class History {
  readonly facts: RecordedBuildFact[] = [];
  readonly #fetches = new Map<string, FetchState>();
  #at = t0;
  #node = "node-a/1";

  constructor(opened: { team?: string; pipeline?: string; job?: string; renderer?: string } = {}) {
    const named = { team: "main", pipeline: "ci", job: "unit", renderer: "1", ...opened };
    this.#add({ type: "BuildOpened", data: { buildId: "123", ...named } });
  }

  after(ms: number): this {
    this.#at += ms;
    return this;
  }

  planned(plan: FetchRequest["getPlan"]): this {
    return this.#add({ type: "BuildPlanned", data: { buildId: "123", plan } });
  }

  adoptedBy(node: string): this {
    const from = this.#node;
    this.#node = node;
    return this.#add({ type: "BuildAdopted", data: { buildId: "123", from } });
  }

  printed(planId: string, text: string, fetchId = "T/image-get"): this {
    return this.#add({ type: "OutputWritten", data: { fetchId, planId, origin: "stderr", text } });
  }

  requested(changes: Partial<FetchRequest> = {}, base = taskImage): this {
    const request = { ...base, ...changes };
    const { state, says } = begin(request, this.#at);
    this.#fetches.set(request.fetchId, state);
    return this.#add({ type: "FetchRequested", data: request }, ...says);
  }

  told(input: FetchInput): this {
    const before = this.#fetches.get(input.data.fetchId);
    const next = before === undefined ? undefined : step(before, input, this.#at);
    if (next === undefined) throw new Error(`the machine does not take ${input.type}`);
    this.#fetches.set(input.data.fetchId, next.state);
    return this.#add(input, ...next.says);
  }

  checked(evidence: Partial<CheckEvidence> = {}, changes: Partial<BuildFactData<"ImageChecked">> = {}): this {
    const observed = {
      via: "HEAD",
      observedAt: formatTime(this.#at),
      host: "registry.example.com",
      status: 200,
    } as const;
    const version = { tag: "v1.2", digest };
    const data = { fetchId: "T/image-get", version, evidence: { ...observed, ...evidence }, rejected: [], ...changes };
    return this.told({ type: "ImageChecked", data });
  }

  checkedByStep(version: { [key: string]: string }): this {
    const evidence = { via: "step", observedAt: formatTime(this.#at) } as const;
    return this.told({ type: "ImageChecked", data: { fetchId: "T/image-get", version, evidence, rejected: [] } });
  }

  checkFailed(failure: Failure, retryAfterMs?: number): this {
    const pause = retryAfterMs === undefined ? {} : { retryAfterMs };
    return this.told({ type: "ImageCheckFailed", data: { fetchId: "T/image-get", failure, ...pause } });
  }

  timer(timer: "backoff" | "patience"): this {
    return this.told({ type: "TimerFired", data: { fetchId: "T/image-get", timer } });
  }

  log(): string {
    return renderBuildLog(this.facts);
  }

  #add(...facts: BuildFact[]): this {
    for (const fact of facts) {
      const revision = BigInt(this.facts.length);
      const metadata = { schema: 1, machine: "1", $correlationId: "123", node: this.#node, time: formatTime(this.#at) };
      const recorded = { id: `id-${revision}`, stream: "build-123", revision, position: String(revision), metadata };
      this.facts.push({ ...fact, ...recorded });
    }
    return this;
  }
}

const taskImage: FetchRequest = {
  fetchId: "T/image-get",
  planId: "T",
  kind: "task",
  name: "image",
  type: "registry-image",
  source: { repository: "registry.example.com/my-resource", tag: "v1.2" },
  credentials: false,
  scope: "5c0be",
  repository: "registry.example.com/my-resource",
  tag: "v1.2",
  checkPlan: { id: "T/image-check", check: { name: "image", type: "registry-image" } },
  getPlan: { id: "T/image-get", get: { name: "image", type: "registry-image" } },
  privileged: false,
  native: true,
  artifactWanted: false,
  checker: "registry",
  policy: false,
  retry: { attempts: 5, baseMs: 1000, capMs: 30_000, patienceMs: 60_000, jitter: 0.4 },
  joinMs: 30_000,
};

const timeout: Failure = {
  code: "FI_REGISTRY_TIMEOUT",
  message: "registry.example.com did not answer in 10s",
  hint: "Try again later, or raise the registry timeout.",
  retryable: true,
};

const { checkPlan: _none, ...uncheckedImage } = taskImage;

const pinned: Partial<FetchRequest> = { version: { digest } };
const joined: FetchInput = {
  type: "CheckJoined",
  data: { fetchId: "T/image-get", asker: { buildId: "7", fetchId: "3/image-get" } },
};

type Decision = Omit<BuildFactData<"PolicyDecided">, "fetchId" | "phase">;

function decided(phase: "request" | "digest", decision: Decision): FetchInput {
  return { type: "PolicyDecided", data: { fetchId: "T/image-get", phase, ...decision } };
}

const allowed: Decision = { decision: "allowed", reasons: [] };

/** The fetch of a type's image that a plan needs. */
function typeImage(planId: string, name: string, type = "registry-image"): Partial<FetchRequest> {
  const fetchId = `${planId}/image-get`;
  const checkPlan = { id: `${planId}/image-check`, check: { name, type } };
  return { kind: "type", fetchId, planId, name, type, checkPlan, getPlan: { id: fetchId, get: { name, type } } };
}

function scanned(revision: bigint): UnknownFact {
  const metadata = { schema: 9, machine: "9", $correlationId: "123", node: "node-c/1", time: formatTime(t0) };
  return { id: "id", type: "ImageScanned", data: {}, stream: "build-123", revision, position: "", metadata };
}

function errorOf(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

const { repository: _repository, tag: _tag, ...untyped } = taskImage;

/** A value with the fields of its objects the other way round. */
function turn(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(turn);
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, turn(inner)]),
  );
}

/** What a history's log says of its fetches: the lines of their facts, without the columns of times. */
function said(history: History): readonly string[] {
  const [, ...sections] = history.log().split("\n\n");
  return sections.flatMap((section) => section.trimEnd().split("\n").slice(1)).map((line) => line.slice(24));
}

describe("the build log tells", () => {
  test("which step needed which image, what was asked, and what the kubelet pulls", () => {
    const history = new History()
      .after(10)
      .planned({ id: "T", task: { name: "unit", privileged: false, hermetic: false } })
      .after(2)
      .requested()
      .after(300)
      .checked({ rateLimit: { limit: 100, remaining: 76, windowSeconds: 21_600 } });

    expect(history.log()).toMatchInlineSnapshot(`
      "build 123: main/ci/unit
      opened 2026-11-22 04:40:00.000 UTC on node-a/1
        04:40:00.010   +10ms  planned: 1 step

      task unit: image, registry.example.com/my-resource:v1.2 (T/image-get)
        04:40:00.012    +0ms  requested
        04:40:00.012    +0ms  announced check T/image-check
        04:40:00.012    +0ms  announced get T/image-get
        04:40:00.312  +300ms  HEAD: registry.example.com answered 200, tag v1.2 is sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f (76 of 100 requests left per 6h)
        04:40:00.312  +300ms  takes the check's version
        04:40:00.312  +300ms  kubelet pulls registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
      "
    `);
  });

  test("a fresh observation that was not asked again, and whose it was", () => {
    const history = new History().requested().checked({
      via: "fresh",
      observedAt: formatTime(t0 - 41_000),
      asker: { buildId: "7", fetchId: "3/image-get" },
    });

    expect(history.log()).toMatchInlineSnapshot(`
      "build 123: main/ci/unit
      opened 2026-11-22 04:40:00.000 UTC on node-a/1

      plan T: image, registry.example.com/my-resource:v1.2 (T/image-get)
        04:40:00.000    +0ms  requested
        04:40:00.000    +0ms  announced check T/image-check
        04:40:00.000    +0ms  announced get T/image-get
        04:40:00.000    +0ms  observed 41s ago by build 7 (3/image-get), not asked again: tag v1.2 is sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f (registry.example.com, 200)
        04:40:00.000    +0ms  takes the check's version
        04:40:00.000    +0ms  kubelet pulls registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
      "
    `);
  });

  test("the newest of many tags, and how many there are", () => {
    const among = { by: "semver", listed: 5000, candidates: 212, asked: 3 };
    expect(new History().requested().checked({ among }).log()).toMatchInlineSnapshot(`
      "build 123: main/ci/unit
      opened 2026-11-22 04:40:00.000 UTC on node-a/1

      plan T: image, registry.example.com/my-resource:v1.2 (T/image-get)
        04:40:00.000    +0ms  requested
        04:40:00.000    +0ms  announced check T/image-check
        04:40:00.000    +0ms  announced get T/image-get
        04:40:00.000    +0ms  5,000 tags listed, 212 candidates, newest by semver is v1.2; HEAD: registry.example.com answered 200, tag v1.2 is sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
        04:40:00.000    +0ms  takes the check's version
        04:40:00.000    +0ms  kubelet pulls registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
      "
    `);
  });

  test("an answer beyond the interval, taken to spare the registry, as a warning with its age and the reason", () => {
    const asker = { buildId: "7", fetchId: "3/image-get" };
    const rateLimit = { limit: 100, remaining: 7, windowSeconds: 21_600 };
    const old = { via: "stale-served", observedAt: formatTime(t0 - 720_000), asker } as const;
    const history = new History()
      .requested()
      .checked({ ...old, rateLimit, stale: { because: "budget", boundMs: 3_600_000 } });
    expect(history.log()).toMatchInlineSnapshot(`
      "build 123: main/ci/unit
      opened 2026-11-22 04:40:00.000 UTC on node-a/1

      plan T: image, registry.example.com/my-resource:v1.2 (T/image-get)
        04:40:00.000    +0ms  requested
        04:40:00.000    +0ms  announced check T/image-check
        04:40:00.000    +0ms  announced get T/image-get
        04:40:00.000    +0ms  warning: stale: observed 12m ago by build 7 (3/image-get), not asked again (to spare registry.example.com, 7 of 100 requests left per 6h): tag v1.2 is sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
        04:40:00.000    +0ms  takes the check's version
        04:40:00.000    +0ms  kubelet pulls registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
      "
    `);
    const error = { code: "FI_REGISTRY_UNAVAILABLE", message: "registry.example.com answered 503" };
    const failing = { because: "failing", boundMs: 3_600_000, until: formatTime(t0 + 8000), error };
    expect(
      new History()
        .requested()
        .checked({ ...old, stale: failing })
        .log(),
    ).toContain(
      "warning: stale: observed 12m ago by build 7 (3/image-get), not answered since (registry.example.com answered 503 (FI_REGISTRY_UNAVAILABLE), and nobody asks again until 2026-11-22T04:40:08.000Z): tag v1.2 is sha256:1f",
    );
    const revalidating = { because: "revalidating", boundMs: 900_000 };
    expect(
      new History()
        .requested()
        .checked({ ...old, stale: revalidating })
        .log(),
    ).toContain(
      "warning: stale: observed 12m ago by build 7 (3/image-get), asked again meanwhile (a check runs beside the fetch, for those who come after): tag v1.2 is sha256:1f",
    );
    const inPause = new History().requested().checked({
      ...old,
      stale: { because: "retry-after", boundMs: 3_600_000, until: formatTime(t0 + 60_000) },
    });
    expect(inPause.log()).toMatchInlineSnapshot(`
      "build 123: main/ci/unit
      opened 2026-11-22 04:40:00.000 UTC on node-a/1

      plan T: image, registry.example.com/my-resource:v1.2 (T/image-get)
        04:40:00.000    +0ms  requested
        04:40:00.000    +0ms  announced check T/image-check
        04:40:00.000    +0ms  announced get T/image-get
        04:40:00.000    +0ms  warning: stale: observed 12m ago by build 7 (3/image-get), not asked again (registry.example.com asked for a pause until 2026-11-22T04:41:00.000Z): tag v1.2 is sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
        04:40:00.000    +0ms  takes the check's version
        04:40:00.000    +0ms  kubelet pulls registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
      "
    `);
  });

  test("a check that another fetch made, and how long it was waited for", () => {
    const history = new History()
      .requested()
      .told(joined)
      .after(1250)
      .checked({ via: "joined", asker: { buildId: "7", fetchId: "3/image-get" } });

    expect(history.log()).toMatchInlineSnapshot(`
      "build 123: main/ci/unit
      opened 2026-11-22 04:40:00.000 UTC on node-a/1

      plan T: image, registry.example.com/my-resource:v1.2 (T/image-get)
        04:40:00.000    +0ms  requested
        04:40:00.000    +0ms  announced check T/image-check
        04:40:00.000    +0ms  announced get T/image-get
        04:40:00.000    +0ms  waits for the check of build 7 (3/image-get), which asks the same
        04:40:01.250   +1.2s  joined the check made by build 7 (3/image-get): tag v1.2 is sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f (registry.example.com, 200)
        04:40:01.250   +1.2s  takes the check's version
        04:40:01.250   +1.2s  kubelet pulls registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
      "
    `);
  });

  test("a check that was joined in vain, and that the fetch then asked itself", () => {
    const history = new History()
      .requested()
      .told({
        type: "CheckJoined",
        data: { fetchId: "T/image-get", asker: { buildId: "123", fetchId: "9/image-get" } },
      })
      .after(30_000)
      .timer("patience")
      .after(90)
      .checked({ via: "GET" });

    expect(history.log()).toMatchInlineSnapshot(`
      "build 123: main/ci/unit
      opened 2026-11-22 04:40:00.000 UTC on node-a/1

      plan T: image, registry.example.com/my-resource:v1.2 (T/image-get)
        04:40:00.000    +0ms  requested
        04:40:00.000    +0ms  announced check T/image-check
        04:40:00.000    +0ms  announced get T/image-get
        04:40:00.000    +0ms  waits for the check of this build's 9/image-get, which asks the same
        04:40:30.000    +30s  warning: no answer of the other check after 30s: asking anew
        04:40:30.090    +30s  GET: registry.example.com answered 200, tag v1.2 is sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f (the manifest's hash)
        04:40:30.090    +30s  takes the check's version
        04:40:30.090    +30s  kubelet pulls registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
      "
    `);
  });

  test("each retry with its delay, and the failure with its hint in the end", () => {
    const history = new History()
      .requested({ retry: { ...taskImage.retry, attempts: 3 } })
      .after(10_000)
      .checkFailed(timeout);
    history.after(700).timer("backoff").after(10_000).checkFailed(timeout, 5000);
    history.after(5000).timer("backoff").after(10_000).checkFailed(timeout);

    expect(history.log()).toMatchInlineSnapshot(`
      "build 123: main/ci/unit
      opened 2026-11-22 04:40:00.000 UTC on node-a/1

      plan T: image, registry.example.com/my-resource:v1.2 (T/image-get)
        04:40:00.000    +0ms  requested
        04:40:00.000    +0ms  announced check T/image-check
        04:40:00.000    +0ms  announced get T/image-get
        04:40:10.000    +10s  warning: check failed: registry.example.com did not answer in 10s (FI_REGISTRY_TIMEOUT); to be tried again in 700ms (attempt 2 of 3)
        04:40:10.700  +10.7s  tried again after 700ms (attempt 2 of 3)
        04:40:20.700  +20.7s  warning: check failed: registry.example.com did not answer in 10s (FI_REGISTRY_TIMEOUT); to be tried again in 5s, as it was asked (attempt 3 of 3)
        04:40:25.700  +25.7s  tried again after 5s (attempt 3 of 3)
        04:40:35.700  +35.7s  check failed: registry.example.com did not answer in 10s (FI_REGISTRY_TIMEOUT); not tried again after attempt 3 of 3
        04:40:35.700  +35.7s  failed: image check failed: registry.example.com did not answer in 10s (FI_CHECK_FAILED, FI_REGISTRY_TIMEOUT)
                              hint: Try again later, or raise the registry timeout.
      "
    `);
  });

  test("why a failure was not retried", () => {
    const unauthorized: Failure = {
      code: "FI_UNAUTHORIZED",
      message: "registry.example.com answered 401 to anonymous",
      hint: "Give `username` and `password` in the source.",
      retryable: false,
    };
    const limited: Failure = { code: "FI_RATE_LIMITED", message: "registry.example.com answered 429", retryable: true };

    expect(new History().requested().after(20).checkFailed(unauthorized).log()).toMatchInlineSnapshot(`
      "build 123: main/ci/unit
      opened 2026-11-22 04:40:00.000 UTC on node-a/1

      plan T: image, registry.example.com/my-resource:v1.2 (T/image-get)
        04:40:00.000    +0ms  requested
        04:40:00.000    +0ms  announced check T/image-check
        04:40:00.000    +0ms  announced get T/image-get
        04:40:00.020   +20ms  check failed: registry.example.com answered 401 to anonymous (FI_UNAUTHORIZED); not tried again, since it would fail the same way
        04:40:00.020   +20ms  failed: image check failed: registry.example.com answered 401 to anonymous (FI_CHECK_FAILED, FI_UNAUTHORIZED)
                              hint: Give \`username\` and \`password\` in the source.
      "
    `);
    expect(new History().requested().after(20).checkFailed(limited, 3_600_000).log()).toContain(
      "; not tried again: it asks for a pause of 1h, and 1m is the longest",
    );
  });

  test("a pin, for which nobody was asked", () => {
    expect(new History().requested(pinned, uncheckedImage).log()).toMatchInlineSnapshot(`
      "build 123: main/ci/unit
      opened 2026-11-22 04:40:00.000 UTC on node-a/1

      plan T: image, registry.example.com/my-resource:v1.2 (T/image-get)
        04:40:00.000    +0ms  requested
        04:40:00.000    +0ms  announced get T/image-get
        04:40:00.000    +0ms  pinned by the pipeline, no request: v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
        04:40:00.000    +0ms  kubelet pulls registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
      "
    `);
  });

  test("a warning wherever nobody knew a digest", () => {
    const tagPin = new History().requested({ version: { tag: "v1.1" } }, uncheckedImage);
    expect(said(tagPin).slice(-2)).toMatchInlineSnapshot(`
      [
        "warning: unpinned: the pipeline pins tag v1.1 without a digest, no request; it may be another image at the next pull",
        "kubelet pulls registry.example.com/my-resource:v1.1",
      ]
    `);

    const byStep = (request: Partial<FetchRequest>, base = taskImage) =>
      said(new History().requested({ checker: "step", ...request }, base).checkedByStep({ tag: "v1.2" }));
    expect(byStep({ version: { digest, tag: "v1.1" } })).toMatchInlineSnapshot(`
      [
        "requested",
        "announced check T/image-check",
        "announced get T/image-get",
        "check step gave tag v1.2",
        "version of the get plan: v1.1@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f",
        "not check tag v1.2: it has no digest",
        "kubelet pulls registry.example.com/my-resource:v1.1@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f",
      ]
    `);
    expect(byStep({ version: { tag: "v1.1" } })).toMatchInlineSnapshot(`
      [
        "requested",
        "announced check T/image-check",
        "announced get T/image-get",
        "check step gave tag v1.2",
        "warning: unpinned: the get plan's tag v1.1 is used; it may be another image at the next pull",
        "not check tag v1.2: it has no digest",
        "kubelet pulls registry.example.com/my-resource:v1.1",
      ]
    `);
    expect(byStep({})).toMatchInlineSnapshot(`
      [
        "requested",
        "announced check T/image-check",
        "announced get T/image-get",
        "check step gave tag v1.2",
        "warning: unpinned: nobody knew a digest, so the source's tag v1.2 is used; it may be another image at the next pull",
        "not check tag v1.2: it has no digest",
        "kubelet pulls registry.example.com/my-resource:v1.2",
      ]
    `);
    const { tag: _tag, ...untagged } = taskImage;
    expect(byStep({}, untagged)).toMatchInlineSnapshot(`
      [
        "requested",
        "announced check T/image-check",
        "announced get T/image-get",
        "check step gave tag v1.2",
        "warning: unpinned: nobody knew a digest or a tag, so tag latest is used; it may be another image at the next pull",
        "not check tag v1.2: it has no digest",
        "not source tag: the source has none",
        "kubelet pulls registry.example.com/my-resource:latest",
      ]
    `);
  });

  test("why an image is fetched as an artifact, every reason of it", () => {
    const reasons = (request: Partial<FetchRequest>) => said(new History().requested(request))[0];
    expect(reasons({ native: false, artifactWanted: true, privileged: true, credentials: true })).toBe(
      "requested, privileged, with credentials; to be fetched as an artifact: nativeImageFetch is off; a later step uses the artifact",
    );
    expect(reasons({ unsupported: { field: "tag_regex", reason: "it chooses among tags" } })).toBe(
      "requested; to be fetched as an artifact: source field tag_regex: it chooses among tags",
    );
    const { repository: _none, ...nameless } = taskImage;
    expect(said(new History().requested({ type: "git" }, nameless))[0]).toBe(
      "requested; to be fetched as an artifact: the image's type is git, not registry-image",
    );
  });

  test("an artifact that came at the second attempt, and what its step printed", () => {
    const history = new History().requested({ native: false }).after(100).checked();
    const failure: Failure = {
      code: "FI_REGISTRY_UNAVAILABLE",
      message: "registry.example.com answered 503",
      retryable: true,
    };
    history.after(50).told({ type: "ArtifactFetchFailed", data: { fetchId: "T/image-get", failure } });
    history.after(700).timer("backoff").after(20).printed("T/image-get", "pulling\r\nlayer 1 of 2\n");
    history
      .after(2000)
      .told({ type: "ArtifactFetched", data: { fetchId: "T/image-get", artifact: "digest:sha256:ab" } });

    expect(history.log()).toMatchInlineSnapshot(`
      "build 123: main/ci/unit
      opened 2026-11-22 04:40:00.000 UTC on node-a/1

      plan T: image, registry.example.com/my-resource:v1.2 (T/image-get)
        04:40:00.000    +0ms  requested; to be fetched as an artifact: nativeImageFetch is off
        04:40:00.000    +0ms  announced check T/image-check
        04:40:00.000    +0ms  announced get T/image-get
        04:40:00.100  +100ms  HEAD: registry.example.com answered 200, tag v1.2 is sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
        04:40:00.100  +100ms  takes the check's version; fetching the artifact
        04:40:00.150  +150ms  warning: fetching the artifact failed: registry.example.com answered 503 (FI_REGISTRY_UNAVAILABLE); to be tried again in 700ms (attempt 2 of 5)
        04:40:00.850  +850ms  tried again after 700ms (attempt 2 of 5)
        04:40:00.870  +870ms  T/image-get stderr | pulling
                              T/image-get stderr | layer 1 of 2
        04:40:02.870   +2.8s  artifact digest:sha256:ab
      "
    `);
  });

  test("each answer of the policy, a soft denial as a warning", () => {
    const history = new History().requested({ policy: true });
    history.told(decided("request", allowed)).after(9).checked();
    history.told(decided("digest", { decision: "denied", enforcement: "soft", reasons: ["old base", "no signature"] }));
    expect(said(history)).toMatchInlineSnapshot(`
      [
        "requested",
        "announced check T/image-check",
        "announced get T/image-get",
        "policy allows the request",
        "HEAD: registry.example.com answered 200, tag v1.2 is sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f",
        "takes the check's version",
        "warning: policy warns of the digest, and the fetch goes on: old base; no signature",
        "kubelet pulls registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f",
      ]
    `);

    const denied: Decision = { decision: "denied", enforcement: "hard", reasons: [] };
    expect(said(new History().requested({ policy: true }).told(decided("request", denied))).slice(-2))
      .toMatchInlineSnapshot(`
      [
        "policy denies the request: no reason given",
        "failed: policy denies registry.example.com/my-resource: it gave no reason (FI_POLICY_DENIED)",
      ]
    `);

    const failure: Failure = { code: "FI_POLICY_UNAVAILABLE", message: "opa did not answer in 5s", retryable: true };
    const unanswered = new History().requested({ policy: true });
    unanswered.told({ type: "PolicyUnanswered", data: { fetchId: "T/image-get", phase: "request", failure } });
    expect(said(unanswered).slice(-2)).toMatchInlineSnapshot(`
      [
        "policy gave no answer on the request: opa did not answer in 5s",
        "failed: opa did not answer in 5s (FI_POLICY_UNAVAILABLE)",
      ]
    `);
  });

  test("what was passed over for the version, and why", () => {
    const rejected = [
      { candidate: "scope v1.2@sha256:0000", reason: "observed 6m ago, older than the interval of 5m" },
    ];
    const history = new History().requested().after(80).checked({}, { rejected });
    expect(said(history).slice(3)).toMatchInlineSnapshot(`
      [
        "HEAD: registry.example.com answered 200, tag v1.2 is sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f",
        "takes the check's version",
        "not scope v1.2@sha256:0000: observed 6m ago, older than the interval of 5m",
        "kubelet pulls registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f",
      ]
    `);
  });

  test("that a fetch was aborted, and by whom", () => {
    const history = new History().requested();
    history
      .after(90_000)
      .told({ type: "FetchAborted", data: { fetchId: "T/image-get", reason: "the build was aborted" } });
    expect(history.log().trimEnd().split("\n").at(-1)).toBe("  04:41:30.000  +1m30s  aborted: the build was aborted");
  });

  test("that another node took the build over, in the fetches that went on there", () => {
    const history = new History().requested({ ...pinned, fetchId: "U/image-get", planId: "U" }, uncheckedImage);
    history.requested().after(65_000).adoptedBy("node-b/1").after(10).checked();
    expect(history.log()).toMatchInlineSnapshot(`
      "build 123: main/ci/unit
      opened 2026-11-22 04:40:00.000 UTC on node-a/1
        04:41:05.000   +1m5s  node-b/1 took the build over from node-a/1

      plan U: image, registry.example.com/my-resource:v1.2 (U/image-get)
        04:40:00.000    +0ms  requested
        04:40:00.000    +0ms  announced get T/image-get
        04:40:00.000    +0ms  pinned by the pipeline, no request: v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
        04:40:00.000    +0ms  kubelet pulls registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f

      plan T: image, registry.example.com/my-resource:v1.2 (T/image-get)
        04:40:00.000    +0ms  requested
        04:40:00.000    +0ms  announced check T/image-check
        04:40:00.000    +0ms  announced get T/image-get
        04:41:05.000   +1m5s  node-b/1 took the build over from node-a/1
        04:41:05.010   +1m5s  HEAD: registry.example.com answered 200, tag v1.2 is sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
        04:41:05.010   +1m5s  takes the check's version
        04:41:05.010   +1m5s  kubelet pulls registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
      "
    `);
  });

  test("what an unfinished fetch waits for", () => {
    const last = (history: History) => said(history).at(-1);
    expect([
      last(new History().requested({ policy: true })),
      last(new History().requested()),
      last(new History().requested({ checker: "step" })),
      last(new History().requested().told(joined)),
      last(new History().requested().checkFailed(timeout)),
      last(new History().requested().checkFailed(timeout).after(700).timer("backoff")),
      last(new History().requested({ native: false }).checked()),
      last(new History().requested({ policy: true, ...pinned }, uncheckedImage).told(decided("request", allowed))),
    ]).toMatchInlineSnapshot(`
      [
        "unfinished: waits for the policy's answer on the request",
        "unfinished: waits for the registry's answer (attempt 1 of 5)",
        "unfinished: waits for the check step (attempt 1 of 5)",
        "unfinished: waits until 04:40:30.000 for the check of build 7 (3/image-get)",
        "unfinished: waits until 04:40:00.700 to check again (attempt 2 of 5)",
        "unfinished: waits for the registry's answer (attempt 2 of 5)",
        "unfinished: waits for the artifact (attempt 1 of 5)",
        "unfinished: waits for the policy's answer on the digest",
      ]
    `);
  });

  test("steps by their names, and a nested type by all that need it", () => {
    const image = (id: string, name: string, type: string, inner: object = {}) => ({
      image_get_plan: { id: `${id}/image-get`, get: { name, type, ...inner } },
      image_check_plan: { id: `${id}/image-check`, check: { name, type } },
    });
    const plan = {
      id: "9",
      on_failure: {
        step: {
          id: "8",
          do: [
            {
              id: "1",
              get: {
                name: "pr",
                type: "pull-request",
                ...image("1", "pull-request", "custom", image("1/image-get", "custom", "registry-image")),
              },
            },
          ],
        },
        on_failure: { id: "7", try: { step: { id: "2", put: { name: "status", type: "pull-request" } } } },
      },
    };
    const history = new History()
      .planned(plan)
      .requested(typeImage("1/image-get", "custom"))
      .requested(typeImage("1", "pull-request", "custom"))
      .requested(typeImage("2", "pull-request"))
      .requested()
      .requested(typeImage("T/image-get", "custom"))
      .requested(typeImage("X", "custom"));

    const headings = history
      .log()
      .split("\n")
      .filter((line) => line.endsWith(")") && !line.startsWith(" "));
    expect(headings).toMatchInlineSnapshot(`
      [
        "get pr: type custom for type pull-request, registry.example.com/my-resource:v1.2 (1/image-get/image-get)",
        "get pr: type pull-request, registry.example.com/my-resource:v1.2 (1/image-get)",
        "put status: type pull-request, registry.example.com/my-resource:v1.2 (2/image-get)",
        "plan T: image, registry.example.com/my-resource:v1.2 (T/image-get)",
        "plan T: type custom for its image, registry.example.com/my-resource:v1.2 (T/image-get/image-get)",
        "plan X: type custom, registry.example.com/my-resource:v1.2 (X/image-get)",
      ]
    `);
  });

  test("a plan that claims to be its own image, or is nested without end, is read without harm", () => {
    let plan: FetchRequest["getPlan"] = { id: "0", task: { name: "unit" } };
    for (let id = 1; id < 20_000; id++) plan = { id: String(id), do: [plan] };
    const looped: FetchRequest = { ...taskImage, planId: "T/image-get" };
    expect(new History().planned(plan).requested({}, looped).log()).toContain(
      "plan T/image-get: image for its image, ",
    );
  });
});

describe("the build log", () => {
  test("is the same bytes each time, whatever iterates the facts", () => {
    const history = new History().requested().after(300).checked();
    const streamed = (function* () {
      yield* history.facts;
    })();
    expect(renderBuildLog(streamed)).toBe(history.log());
    expect(history.log()).toBe(history.log());
  });

  test("is the same bytes when a store gives the fields of its maps in another order", () => {
    const history = new History()
      .requested({ checker: "step", type: "git" }, untyped)
      .checkedByStep({ ref: "ab12", at: "9" });
    expect(history.log()).toContain("check step gave at 9, ref ab12\n");
    const turned = history.facts.map((fact) => ({ ...fact, data: turn(fact.data) }));
    expect(JSON.stringify(turned.map(({ data }) => data))).not.toBe(
      JSON.stringify(history.facts.map(({ data }) => data)),
    );
    expect(renderBuildLog(turned.filter(isBuildFact))).toBe(history.log());
  });

  test("has the same text with colours as without", () => {
    const history = new History().requested().after(300).checkFailed(timeout).adoptedBy("node-b/1");
    const coloured = renderBuildLog(history.facts, { color: true });
    expect(coloured).not.toBe(history.log());
    // oxlint-disable-next-line no-control-regex -- the colours' own sequences
    expect(coloured.replaceAll(/\u001b\[\d+m/g, "")).toBe(history.log());
  });

  test("shows the date where a fetch goes on after midnight", () => {
    const history = new History()
      .after(parseTime("2026-11-22T23:59:59.900Z") - t0)
      .requested()
      .after(200)
      .checked();
    expect(history.log()).toContain("  23:59:59.900    +0ms  requested\n");
    expect(history.log()).toContain("  2026-11-23 00:00:00.100  +200ms  HEAD");
  });

  test("spells out whatever a terminal would obey, wherever it was stored", () => {
    const evil = "\u001b]0;owned\u0007\u001b[2J\n  04:40:00.000 kubelet pulls evil\r\u009b31m\u202e\u200b\ud800";
    const log = (text: string, output: string) =>
      new History({ team: text, job: text })
        .planned({ id: "T", task: { name: text } })
        .requested({ name: text, repository: text, tag: text, fetchId: `T${text}` })
        .requested({ type: text, unsupported: { field: text, reason: text } })
        .printed("T/image-check", output)
        .adoptedBy(text)
        .checkFailed({ code: text, message: text, hint: text, retryable: false })
        .log();
    // oxlint-disable-next-line no-control-regex -- what must not be there
    expect(log(evil, evil)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u200b\p{Cs}]/u);
    expect(log(evil, evil)).toContain("\\u{1b}]0;owned\\u{7}\\u{1b}[2J");
    expect(log(evil, "x").split("\n")).toHaveLength(log("x", "x").split("\n").length);
  });

  test("of a build that fetched nothing says so, and of no build is empty", () => {
    expect(new History().log()).toBe(
      "build 123: main/ci/unit\nopened 2026-11-22 04:40:00.000 UTC on node-a/1\n\nno image was requested\n",
    );
    expect(renderBuildLog([])).toBe("");
  });

  test("in a form that this version does not know is refused, naming the forms it knows", () => {
    for (const renderer of ["2", "constructor", "__proto__"]) {
      expect(errorOf(() => new History({ renderer }).log())).toMatchObject({
        code: "FI_STORE_TOO_NEW",
        message: `build-123 keeps its log in the form "${renderer}", and this version knows 1`,
      });
    }
    expect(Object.keys(renderers)).toEqual(["1"]);
  });

  test("names the facts of a newer version that it cannot read", () => {
    const history = new History().requested().after(300).checked();
    const log = renderBuildLog([...history.facts, scanned(BigInt(history.facts.length))]);
    expect(log).toContain(
      "                        warning: ImageScanned at revision 7 is a fact of a newer version, and is not read here\n",
    );
    expect(log.replace(/.*ImageScanned.*\n/, "")).toBe(history.log());
  });

  test("is refused as too new where a newer version's fact is missing to the others", () => {
    const { facts } = new History().requested().after(300).checked();
    const newer = facts.map((fact) => (fact.type === "ImageChecked" ? scanned(fact.revision) : fact));
    expect(errorOf(() => renderBuildLog(newer))).toMatchObject({ code: "FI_STORE_TOO_NEW" });
    expect(errorOf(() => renderBuildLog(facts.filter((fact) => fact.type !== "ImageChecked")))).toMatchObject({
      code: "FI_HISTORY_CONTRADICTORY",
    });
  });
});

describe("a fact on one line", () => {
  test("tells its revision, time, type and fetch, the state after it, what is owed, and what it caused", () => {
    const { facts } = new History().requested().after(300).checkFailed(timeout).after(700).timer("backoff").checked();
    const lines: string[] = [];
    replayBuild(facts, ({ fact, after, says }) => lines.push(renderFact(fact, { after, says })));
    expect(lines.join("\n")).toMatchInlineSnapshot(`
      "   0  2026-11-22T04:40:00.000Z  BuildOpened: opened on node-a/1
         1  2026-11-22T04:40:00.000Z  FetchRequested T/image-get: requested  -> checking, owes check-image, says ImageCheck, ImageGet
         2  2026-11-22T04:40:00.000Z  ImageCheck T/image-get: announced check T/image-check  -> checking, owes check-image
         3  2026-11-22T04:40:00.000Z  ImageGet T/image-get: announced get T/image-get  -> checking, owes check-image
         4  2026-11-22T04:40:00.300Z  ImageCheckFailed T/image-get: warning: check failed: registry.example.com did not answer in 10s (FI_REGISTRY_TIMEOUT); to be tried again in 700ms (attempt 2 of 5)  -> backing-off, backoff until 2026-11-22T04:40:01.000Z
         5  2026-11-22T04:40:01.000Z  TimerFired T/image-get: tried again (attempt 2 of 5)  -> checking, owes check-image
         6  2026-11-22T04:40:01.000Z  ImageChecked T/image-get: HEAD: registry.example.com answered 200, tag v1.2 is sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f  -> short-circuited, says ImageVersionResolved, ImageShortCircuited
         7  2026-11-22T04:40:01.000Z  ImageVersionResolved T/image-get: takes the check's version  -> short-circuited
         8  2026-11-22T04:40:01.000Z  ImageShortCircuited T/image-get: kubelet pulls registry.example.com/my-resource:v1.2@sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f  -> short-circuited"
    `);
  });

  test("needs no replay, breaks no line, and may be of a newer version", () => {
    const { facts } = new History()
      .requested()
      .checkFailed({ ...timeout, message: "a\nb\u001b[1m" })
      .printed("T", "x\ny\n");
    for (const fact of [...facts, scanned(9n)]) {
      // oxlint-disable-next-line no-control-regex -- what must not be there
      expect(renderFact(fact)).not.toMatch(/[\u0000-\u001f]/);
    }
    expect(renderFact(scanned(9n))).toContain(
      "ImageScanned: warning: ImageScanned at revision 9 is a fact of a newer version",
    );
  });
});
