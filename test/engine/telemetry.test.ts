import { metrics, trace } from "@opentelemetry/api";
import type { Telemetry } from "@fetch-image/core";
import { expect, test } from "vitest";
import { scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/git-resource";
const plans = { ...typePlans("2", { repository, tag: "v1.2" }), privileged: false };

test("OpenTelemetry's own tracer and meter fit as they are", async () => {
  // The types are the test: no adapter stands between.
  const telemetry: Telemetry = { tracer: trace.getTracer("scheduler"), meter: metrics.getMeter("scheduler") };
  const { engine, registry } = scene({ telemetry });
  registry.push(`${repository}:v1.2`, "one");
  const build = await engine.openBuild({ id: "1" });
  await expect(build.fetchImage(plans)).resolves.toMatchObject({ privileged: false });
});

test("fetches are counted by state and by how the version was chosen, and timed", async () => {
  const counted: [name: string, value: number, attributes: unknown][] = [];
  const ended: number[] = [];
  const telemetry: Telemetry = {
    meter: {
      createCounter: (name) => ({ add: (value, attributes) => counted.push([name, value, attributes]) }),
      createHistogram: (name) => ({ record: (value, attributes) => counted.push([name, value, attributes]) }),
    },
    tracer: {
      startSpan: () => ({ setAttribute() {}, setStatus: ({ code }) => ended.push(code), end() {} }),
    },
  };
  const { engine, registry } = scene({ telemetry });
  registry.push(`${repository}:v1.2`, "one");
  const build = await engine.openBuild({ id: "1" });
  await build.fetchImage(plans);
  await build.fetchImage({ ...typePlans("3", { repository, tag: "v404" }), privileged: false }).catch(() => {});
  expect(counted).toEqual([
    ["fetch_image.fetches", 1, { state: "short-circuited", via: "HEAD" }],
    ["fetch_image.duration", 0, { outcome: "ok" }],
    ["fetch_image.fetches", 1, { state: "failed", via: "none" }],
    ["fetch_image.duration", 0, { outcome: "failed" }],
  ]);
  expect(ended).toEqual([1, 2]);
});
