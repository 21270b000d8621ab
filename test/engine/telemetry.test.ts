import {
  type Context,
  context,
  metrics,
  type Span,
  type SpanOptions,
  type SpanStatus,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { FetchImageError, type Telemetry, type TelemetryAttributes, type TelemetryObserver } from "@fetch-image/core";
import { createFetchImageEngine } from "@fetch-image/engine";
import { createMemoryReadModel } from "@fetch-image/store/memory";
import { describe, expect, test } from "vitest";
import { factsOf, scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/git-resource";
const plans = { ...typePlans("2", { repository, tag: "v1.2" }), privileged: false };
const traceId = "0af7651916cd43dd8448eb211c80319c";
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;

interface Told {
  readonly name: string;
  readonly spanId: string;
  readonly parent: string | undefined;
  readonly traceId: string;
  readonly links: readonly string[];
  readonly attributes: Record<string, unknown>;
  status: SpanStatus | undefined;
  ended: boolean;
}

/** A tracer as an SDK has it, for OpenTelemetry's own contexts, and what it was told. */
function recorder() {
  const told: Told[] = [];
  const startSpan = (name: string, options: SpanOptions = {}, parent: Context = context.active()): Span => {
    const above = trace.getSpanContext(parent);
    const span: Told = {
      name,
      spanId: String(told.length + 1).padStart(16, "0"),
      parent: above?.spanId,
      traceId: above?.traceId ?? "f".repeat(32),
      links: (options.links ?? []).map((link) => link.context.spanId),
      attributes: { ...options.attributes },
      status: undefined,
      ended: false,
    };
    told.push(span);
    const recording = trace.wrapSpanContext({ traceId: span.traceId, spanId: span.spanId, traceFlags: 1 });
    return Object.assign(recording, {
      setAttribute: (key: string, value: unknown) => {
        span.attributes[key] = value;
        return recording;
      },
      setStatus: (status: SpanStatus) => {
        span.status = status;
        return recording;
      },
      end: () => {
        expect(span.ended).toBe(false);
        span.ended = true;
      },
    });
  };
  const telemetry: Telemetry = { tracer: { startSpan }, trace, context };
  return { told, telemetry };
}

/** A meter, and what it counted. */
function meter() {
  const counted: [name: string, value: number, attributes: unknown][] = [];
  const gauges = new Map<string, (observer: TelemetryObserver) => void | Promise<void>>();
  const note = (name: string) => (value: number, attributes?: TelemetryAttributes) =>
    void counted.push([name, value, attributes]);
  const telemetry: Telemetry = {
    meter: {
      createCounter: (name) => ({ add: note(name) }),
      createHistogram: (name) => ({ record: note(name) }),
      createObservableGauge: (name) => ({
        addCallback: (callback) => void gauges.set(name, callback),
        removeCallback: () => void gauges.delete(name),
      }),
    },
  };
  const read = async (name: string): Promise<number | undefined> => {
    let seen: number | undefined;
    await gauges.get(name)?.({ observe: (value) => (seen = value) });
    return seen;
  };
  return { counted, gauges, read, telemetry };
}

test("OpenTelemetry's own tracer, meter and contexts fit as they are", async () => {
  // The types are the test: no adapter stands between.
  const telemetry: Telemetry = {
    tracer: trace.getTracer("scheduler"),
    meter: metrics.getMeter("scheduler"),
    trace,
    context,
  };
  const { engine, registry } = scene({ telemetry });
  registry.push(`${repository}:v1.2`, "one");
  const build = await engine.openBuild({ id: "1" });
  await expect(build.fetchImage(plans)).resolves.toMatchObject({ privileged: false });
  await engine.close();
});

test("what telemetry throws reaches no fetch, and is logged once", async () => {
  const fail = (): never => {
    throw new TypeError("the exporter is gone, and its token was secret");
  };
  const warned: unknown[] = [];
  const logger = { debug: () => {}, info: () => {}, error: () => {}, warn: (...said: unknown[]) => warned.push(said) };
  const telemetry: Telemetry = {
    tracer: { startSpan: fail },
    meter: {
      createCounter: () => ({ add: fail }),
      createHistogram: () => ({ record: fail }),
      createObservableGauge: () => ({ addCallback: () => {}, removeCallback: () => {} }),
    },
  };
  const { engine, registry } = scene({ telemetry, logger });
  registry.push(`${repository}:v1.2`, "one");
  const build = await engine.openBuild({ id: "1" });
  await expect(build.fetchImage(plans)).resolves.toMatchObject({ privileged: false });
  await expect(
    build.fetchImage({ ...typePlans("3", { repository, tag: "v404" }), privileged: false }),
  ).rejects.toMatchObject({ code: "FI_CHECK_FAILED" });
  await engine.close();
  expect(warned).toEqual([[expect.stringContaining("telemetry threw"), { error: "TypeError" }]]);
});

describe("metrics", () => {
  test("count fetches, questions, retries and joins by what few words can say, and time appends", async () => {
    const { counted, telemetry } = meter();
    const { engine, registry, clock } = scene({ telemetry });
    registry.push(`${repository}:v1.2`, "one");
    const build = await engine.openBuild({ id: "1" });
    await build.fetchImage(plans);
    await build.fetchImage({ ...typePlans("3", { repository, tag: "v404" }), privileged: false }).catch(() => {});
    registry.failNext(new FetchImageError("FI_REGISTRY_UNAVAILABLE"));
    registry.push(`${repository}:v2`, "two");
    const [retried, joining] = ["4", "5"].map((step) =>
      build.fetchImage({ ...typePlans(step, { repository, tag: "v2" }), privileged: false }),
    );
    await clock.advance(60_000);
    await Promise.all([retried, joining]);

    const of = (name: string) => counted.filter(([each]) => each === `fetch_image.${name}`);
    expect(of("fetches").map(([, , attributes]) => attributes)).toEqual([
      { state: "short-circuited", via: "HEAD" },
      { state: "failed", via: "none", "error.type": "FI_IMAGE_UNKNOWN" },
      expect.objectContaining({ state: "short-circuited" }),
      expect.objectContaining({ state: "short-circuited" }),
    ]);
    expect(of("registry.checks").map(([, , attributes]) => attributes)).toEqual([
      { outcome: "HEAD" },
      { outcome: "nothing" },
      { outcome: "FI_REGISTRY_UNAVAILABLE" },
      { outcome: "HEAD" },
    ]);
    expect(of("registry.requests").length).toBe(3);
    expect(of("joined").length).toBeGreaterThan(0);
    expect(of("retries").length).toBeGreaterThan(0);
    expect(of("append.duration").map(([, , attributes]) => attributes)).toContainEqual({ outcome: "ok" });
    expect(of("duration")).toHaveLength(4);
    // Nothing that names an image, a build or a host: each would be a series of its own.
    expect(JSON.stringify(counted)).not.toMatch(/example\.com|acme|v1\.2|sha256/);
  });

  test("gauge what is in flight, waits and lags, until the engine is closed", async () => {
    const { gauges, read, telemetry } = meter();
    const settings = { maxFetches: 1 };
    const { engine, registry, clock } = scene({ telemetry, settings, readModel: createMemoryReadModel() });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    const fetches = ["s", "t"].map((step) =>
      build.fetchImage({ ...typePlans(step, { repository, tag: "v1.2" }), privileged: false }),
    );
    await clock.advance(3000);
    expect(await read("fetch_image.fetches.in_flight")).toBe(1);
    expect(await read("fetch_image.fetches.waiting")).toBe(1);
    expect(await read("fetch_image.fetches.oldest_age")).toBe(3000);
    expect(await read("fetch_image.builds.open")).toBe(1);
    registry.release();
    await Promise.all(fetches);
    await engine.project();
    expect(await read("fetch_image.projection.lag")).toBe(0);
    expect(await read("fetch_image.projection.lag_age")).toBe(0);
    await engine.close();
    expect(gauges.size).toBe(0);
  });
});

describe("spans", () => {
  test("are one of each fetch, in the scheduler's trace, with one of each state below it", async () => {
    const { told, telemetry } = recorder();
    const policy = { decide: async () => ({ decision: "allowed" as const }) };
    const { engine, registry, clock } = scene({ telemetry, policy });
    const digest = registry.push(`${repository}:v1.2`, "one");
    registry.failNext(new FetchImageError("FI_REGISTRY_UNAVAILABLE"));
    const build = await engine.openBuild({ id: "1", traceparent });
    const fetch = build.fetchImage(plans);
    await clock.advance(60_000);
    await fetch;
    const [root, ...states] = told;
    expect(root).toMatchObject({
      name: "fetch-image",
      traceId,
      parent: "b7ad6b7169203331",
      links: [],
      status: { code: SpanStatusCode.OK },
      attributes: {
        "fetch_image.build.id": "1",
        "fetch_image.fetch.id": "2/image-get",
        "fetch_image.resource.type": "registry-image",
        "fetch_image.image.repository": repository,
        "fetch_image.image.tag": "v1.2",
        "fetch_image.image.digest": digest,
        "fetch_image.state": "short-circuited",
        "fetch_image.via": "HEAD",
      },
    });
    const names = ["authorizing", "checking", "backing-off", "checking", "resolving"];
    expect(states.map(({ name }) => name)).toEqual(names.map((name) => `fetch-image ${name}`));
    for (const state of states) expect(state).toMatchObject({ parent: root?.spanId, traceId });
    expect(told.every(({ ended }) => ended)).toBe(true);
  });

  test("say with which error a fetch ended, and hold no secret", async () => {
    const { told, telemetry } = recorder();
    const { engine } = scene({ telemetry });
    const build = await engine.openBuild({ id: "1" });
    const source = { repository, tag: "hunter2", username: "robot", password: "hunter2" };
    await build.fetchImage({ ...typePlans("2", source), privileged: false }).catch(() => {});
    expect(told[0]).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: "FI_IMAGE_UNKNOWN" },
      attributes: { "error.type": "FI_IMAGE_UNKNOWN", "fetch_image.image.tag": "((redacted))" },
    });
    expect(JSON.stringify(told)).not.toContain("hunter2");
  });

  test("of a fetch that is taken over stand in the same trace, and point to what went before", async () => {
    const { engine, eventLog, registry, clock } = scene({ node: "a" });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    build.fetchImage({ ...plans, traceparent, tracestate: "vendor=1" }).catch(() => {});
    await clock.settle();
    await engine.close();
    const [, requested] = await factsOf(eventLog, "1");
    expect(requested?.metadata).toMatchObject({ traceparent, tracestate: "vendor=1" });

    const { told, telemetry } = recorder();
    registry.release();
    const ports = { eventLog, registry, clock, nativeImageFetch: true, soleNode: true };
    const next = createFetchImageEngine({ ...ports, node: "b", telemetry });
    const again = await next.openBuild({ id: "1", traceparent: `00-${"c".repeat(32)}-${"d".repeat(16)}-00` });
    await again.fetchImage(plans);
    // The scheduler asks within another trace now; the link leads to the one that asked first.
    expect(told[0]).toMatchObject({ traceId: "c".repeat(32), links: ["b7ad6b7169203331"] });
    const last = (await factsOf(eventLog, "1")).at(-1);
    expect(last).toMatchObject({
      type: "ImageShortCircuited",
      metadata: { traceparent: expect.stringMatching(/^00-c{32}/) },
    });
    await next.close();
  });

  test.each([
    ["00-00000000000000000000000000000000-b7ad6b7169203331-01", undefined],
    ["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", undefined],
    ["ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", undefined],
    [`${traceparent}-more`, undefined],
    ["nonsense", undefined],
    [`cc${traceparent.slice(2)}-more`, `cc${traceparent.slice(2)}-more`],
    [traceparent, traceparent],
  ])("a traceparent of %s is stored as %s", async (given, stored) => {
    const { engine, eventLog, registry } = scene();
    registry.push(`${repository}:v1.2`, "one");
    const build = await engine.openBuild({ id: "1", traceparent: given, tracestate: "a=\u0001" });
    await build.fetchImage(plans);
    for (const { metadata } of await factsOf(eventLog, "1")) {
      expect([metadata.traceparent, metadata.tracestate]).toEqual([stored, undefined]);
    }
  });
});
