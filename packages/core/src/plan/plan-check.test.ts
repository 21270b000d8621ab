import { expect, test } from "vitest";
import { parsePipeline } from "../pipeline/parse-pipeline.ts";
import { planCheck, type PlanCheckOptions } from "./plan-job.ts";
import type { CheckPlan } from "./plan.ts";

const text = `
resource_types:
- {name: custom, type: registry-image, source: {repository: r}, defaults: {a: 1, b: 1}, check_every: 24h}
resources:
- {name: repo, type: git, source: {uri: u}}
- {name: thing, type: custom, source: {b: 2}, check_every: never, check_timeout: 5m, tags: [x]}
jobs: [{name: unit, plan: [{get: repo}, {get: thing}]}]
`;
const custom = { name: "custom", type: "registry-image", source: { repository: "r" }, base_type: "registry-image" };

test("a resource is checked every minute unless it says otherwise", () => {
  expect(checkOf("repo", { idSeed: 15 })).toEqual({
    id: "10",
    check: { name: "repo", type: "git", resource: "repo", source: { uri: "u" }, base_type: "git", interval: "1m0s" },
  });
});

test("a check has its type's image, defaults, and its own interval, timeout and tags", () => {
  expect(checkOf("thing", { fromVersion: { ref: "1" } })).toEqual({
    id: "1",
    check: {
      name: "thing",
      type: "custom",
      resource: "thing",
      source: { a: 1, b: 2 },
      image_check_plan: {
        id: "1/image-check",
        check: { ...custom, interval: "24h0m0s", resource_type: "custom", tags: ["x"] },
      },
      image_get_plan: { id: "1/image-get", get: { ...custom, version_from: "1/image-check", tags: ["x"] } },
      base_type: "registry-image",
      from_version: { ref: "1" },
      interval: "never",
      timeout: "5m",
      tags: ["x"],
    },
  });
});

test("somebody who asks for a check asks for the type's too, unless shallowly", () => {
  const deep = checkOf("thing", { manuallyTriggered: true });
  expect(deep.check.skip_interval).toBe(true);
  expect(deep.check.image_check_plan?.check.skip_interval).toBe(true);
  const shallow = checkOf("thing", { manuallyTriggered: true, shallow: true });
  expect(shallow.check.skip_interval).toBe(true);
  expect(shallow.check.image_check_plan?.check.skip_interval).toBeUndefined();
});

test("a resource that is not there is named, with the one that was meant", () => {
  const parsed = parsePipeline(text, { file: "ci.yml" });
  if (!parsed.ok) throw parsed.error;
  expect(planCheck(parsed.pipeline, "rep")).toMatchObject({
    ok: false,
    error: { code: "FI_RESOURCE_UNKNOWN", message: 'ci.yml has no resource "rep"', hint: "Did you mean repo?" },
  });
});

function checkOf(resource: string, options?: PlanCheckOptions): CheckPlan {
  const parsed = parsePipeline(text, { file: "ci.yml" });
  if (!parsed.ok) throw parsed.error;
  const planned = planCheck(parsed.pipeline, resource, options);
  if (!planned.ok) throw planned.error;
  return planned.plan;
}
