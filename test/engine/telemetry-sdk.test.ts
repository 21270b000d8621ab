// With OpenTelemetry's own SDK behind the API, as a scheduler that exports has it.
import { context, metrics, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { createMemoryReadModel } from "@fetch-image/store/memory";
import { afterEach, beforeEach, expect, test } from "vitest";
import { factsOf, scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/git-resource";
let spans: InMemorySpanExporter;
let measured: InMemoryMetricExporter;
let meters: MeterProvider;

beforeEach(() => {
  spans = new InMemorySpanExporter();
  measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  // Read when a test asks for it.
  const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 });
  meters = new MeterProvider({ readers: [reader] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(meters);
});

afterEach(async () => {
  await meters.shutdown();
  for (const api of [context, trace, metrics]) api.disable();
});

function sceneWithSdk() {
  const tracer = trace.getTracer("scheduler");
  const telemetry = { tracer, meter: metrics.getMeter("scheduler"), trace, context };
  return { tracer, ...scene({ telemetry, readModel: createMemoryReadModel() }) };
}

function plans(tag: string, source: object = {}) {
  return { ...typePlans("2", { repository, tag, ...source }), privileged: false };
}

/** The spans' names with those of their parents, as far as they ended here. */
function tree(finished: readonly ReadableSpan[]): string[] {
  const names = new Map(finished.map((span) => [span.spanContext().spanId, span.name]));
  return finished.map(
    ({ name, parentSpanContext: parent }) => `${names.get(parent?.spanId ?? "") ?? "none"} > ${name}`,
  );
}

test("a fetch stands below the scheduler's active span, its states below the fetch, and all of them end", async () => {
  const { tracer, engine, registry } = sceneWithSdk();
  const digest = registry.push(`${repository}:v1`, "one");
  await tracer.startActiveSpan("build 1", async (span) => {
    const build = await engine.openBuild({ id: "1" });
    await build.fetchImage(plans("v1"));
    span.end();
  });
  await engine.close();
  const finished = spans.getFinishedSpans();
  // In the order in which they ended.
  expect(tree(finished)).toEqual(["fetch-image > fetch-image checking", "build 1 > fetch-image", "none > build 1"]);
  expect(new Set(finished.map((span) => span.spanContext().traceId)).size).toBe(1);
  expect(finished[1]).toMatchObject({
    status: { code: SpanStatusCode.OK },
    attributes: { "fetch_image.state": "short-circuited", "fetch_image.image.digest": digest },
  });
});

test("a trace that the scheduler names is gone on with, in spans and in facts", async () => {
  const { engine, eventLog, registry } = sceneWithSdk();
  registry.push(`${repository}:v1`, "one");
  const [traceId, spanId] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
  const traceparent = `00-${traceId}-${spanId}-01`;
  const build = await engine.openBuild({ id: "1", traceparent });
  await build.fetchImage(plans("v1"));
  await engine.close();
  const root = spans.getFinishedSpans().find(({ name }) => name === "fetch-image");
  expect(root?.parentSpanContext).toMatchObject({ traceId, spanId, isRemote: true });
  expect(root?.spanContext().traceId).toBe(traceId);
  for (const { metadata } of await factsOf(eventLog, "1")) expect(metadata).toMatchObject({ traceparent });
});

test("a fetch that fails ends its span with its cause's code, and no secret stands in what is exported", async () => {
  const { engine } = sceneWithSdk();
  const password = "CaNaRy-9c1f";
  const build = await engine.openBuild({ id: "1", secrets: [password] });
  const fetching = build.fetchImage(plans("v404", { username: "ci", password }));
  await expect(fetching).rejects.toMatchObject({ code: "FI_CHECK_FAILED" });
  await engine.close();
  await meters.forceFlush();
  const root = spans.getFinishedSpans().find(({ name }) => name === "fetch-image");
  expect(root).toMatchObject({
    status: { code: SpanStatusCode.ERROR, message: "FI_IMAGE_UNKNOWN" },
    attributes: { "error.type": "FI_IMAGE_UNKNOWN" },
  });
  const exported = spans
    .getFinishedSpans()
    .map(({ name, attributes, status, events }) => ({ name, attributes, status, events }));
  expect(JSON.stringify([exported, measured.getMetrics()])).not.toContain(password);
});

test("counters, times and gauges are exported under their names, with units and few words", async () => {
  const { engine, registry } = sceneWithSdk();
  registry.push(`${repository}:v1`, "one");
  const build = await engine.openBuild({ id: "1" });
  await build.fetchImage(plans("v1"));
  await engine.project();
  await meters.forceFlush();
  const exported = measured.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics: all }) => all));
  const shown = exported.map(({ descriptor: { name, unit }, dataPoints }) => ({
    name,
    unit,
    points: dataPoints.map(({ attributes, value }) => ({
      attributes,
      value: typeof value === "number" ? value : value.count,
    })),
  }));
  const byName = new Map(shown.map((each) => [each.name, each]));
  const ended = { state: "short-circuited", via: "HEAD" };
  expect(byName.get("fetch_image.fetches")?.points).toEqual([{ attributes: ended, value: 1 }]);
  expect(byName.get("fetch_image.registry.checks")?.points).toEqual([{ attributes: { outcome: "HEAD" }, value: 1 }]);
  expect(byName.get("fetch_image.duration")).toMatchObject({ unit: "ms", points: [{ value: 1 }] });
  expect(byName.get("fetch_image.append.duration")).toMatchObject({ unit: "ms" });
  expect([...byName.keys()].filter((name) => name.startsWith("fetch_image."))).toEqual(
    expect.arrayContaining(["fetch_image.fetches.in_flight"]),
  );
  await engine.close();
});
