import { expect, test } from "vitest";
import { parsePipeline } from "../pipeline/parse-pipeline.ts";
import { type ImageNeed, imagesOf, taskImageNeeds } from "./images-of.ts";
import { planCheck, planJob } from "./plan-job.ts";
import type { Plan } from "./plan.ts";

const declarations = `
resource_types:
- {name: registry-image, type: registry-image, source: {repository: r/registry-image}}
- {name: custom, type: registry-image, source: {repository: r/custom}, privileged: true}
- {name: from-git, type: git, source: {uri: u}}
- {name: pinned, type: docker-image, source: {repository: r/pinned}, version: {digest: d}}
resources:
- {name: repo, type: git}
- {name: thing, type: custom}
- {name: odd, type: from-git}
- {name: fixed, type: pinned}
- {name: toolchain, type: registry-image, source: {repository: r/toolchain}}
`;

test("a base type's step needs the base type's image, and nothing is fetched", () => {
  expect(imagesOf(planOf("[{get: repo}, {put: repo}]"))).toEqual([
    { kind: "base", stepId: "1", stepName: "repo", stepKind: "get", baseType: "git" },
    { kind: "base", stepId: "2", stepName: "repo", stepKind: "put", baseType: "git" },
    { kind: "base", stepId: "3", stepName: "repo", stepKind: "get", baseType: "git" },
  ]);
});

test("the image of a type's type comes before the type's own", () => {
  const plan = planOf("[{get: thing}]");
  const get = plan.do?.[0]?.get;
  const needs = imagesOf(plan);
  expect(needs.map(summary)).toEqual([
    ["type", "1/image-check", "custom", "check", "1/image-check/image-get"],
    ["type", "1/image-get", "custom", "get", "1/image-get/image-get"],
    ["type", "1", "thing", "get", "1/image-get"],
  ]);
  expect(needs[2]).toEqual({
    kind: "type",
    stepId: "1",
    stepName: "thing",
    stepKind: "get",
    getPlan: get?.image_get_plan,
    checkPlan: get?.image_check_plan,
    privileged: true,
    waitsFor: [],
  });
  expect(needs[0]).toMatchObject({ privileged: false });
});

test("a put and the get after it need the type's image each", () => {
  const puts = imagesOf(planOf("[{put: fixed}]"));
  expect(puts.map(summary)).toEqual([
    ["base", "1/image-get", "pinned", "get", "docker-image"],
    ["type", "1", "fixed", "put", "1/image-get"],
    ["base", "2/image-get", "pinned", "get", "docker-image"],
    ["type", "2", "fixed", "get", "2/image-get"],
  ]);
  expect(puts[1]).not.toHaveProperty("checkPlan");
});

test("what checks and gets an image that is no registry-image needs its base type's image", () => {
  expect(imagesOf(planOf("[{get: odd}]")).map(summary)).toEqual([
    ["base", "1/image-check", "from-git", "check", "git"],
    ["base", "1/image-get", "from-git", "get", "git"],
    ["type", "1", "odd", "get", "1/image-get"],
  ]);
});

test("a resource's check needs its type's image", () => {
  const parsed = parsePipeline(`${declarations}\njobs: [{name: unit, plan: []}]`, { file: "ci.yml" });
  if (!parsed.ok) throw parsed.error;
  const planned = planCheck(parsed.pipeline, "odd");
  if (!planned.ok) throw planned.error;
  expect(imagesOf(planned.plan).map(summary).at(-1)).toEqual(["type", "1", "odd", "check", "1/image-get"]);
});

test("a task's image_resource has its type's defaults, the task's tags, and a fetch called image", () => {
  const text = `
resource_types: [{name: mine, type: registry-image, source: {repository: r/mine}, defaults: {insecure: true}}]
jobs: [{name: unit, plan: [{task: t, privileged: true, tags: [x], config: {platform: linux, image_resource: {type: mine, source: {repository: r/go}}}}]}]`;
  const needs = imagesOf(jobOf(text));
  expect(needs.map(summary)).toEqual([
    ["type", "1/image-check", "image", "check", "1/image-check/image-get"],
    ["type", "1/image-get", "image", "get", "1/image-get/image-get"],
    ["task", "1", "t", undefined, "1/image-get"],
  ]);
  const source = { insecure: true, repository: "r/go" };
  expect(needs[2]).toMatchObject({
    imageResource: { name: "image", type: "mine", source, tags: ["x"] },
    resourceTypes: [{ name: "mine" }],
    tags: ["x"],
    privileged: true,
    getPlan: { get: { name: "image", type: "mine", source, tags: ["x"], version_from: "1/image-check" } },
    checkPlan: { check: { name: "image", type: "mine", source, tags: ["x"], interval: "1m0s" } },
  });
});

test("a pinned image_resource has no check, and a base type other than registry-image brings its own image", () => {
  const image = "image_resource: {type: docker-image, source: {repository: r/go}, version: {digest: d}}";
  const needs = imagesOf(planOf(`[{task: t, config: {platform: linux, ${image}}}]`));
  expect(needs.map(summary)).toEqual([
    ["base", "1", "t", "task-type", "docker-image"],
    ["task", "1", "t", undefined, "1/image-get"],
  ]);
  expect(needs[1]).not.toHaveProperty("checkPlan");
  expect(needs[1]).toMatchObject({ getPlan: { get: { version: { digest: "d" } } } });
});

test("a registry-image that no pipeline overrides needs no image to be fetched", () => {
  const text =
    "jobs: [{name: unit, plan: [{task: t, config: {platform: linux, image_resource: {type: registry-image, source: {repository: r}}}}]}]";
  expect(imagesOf(jobOf(text)).map(summary)).toEqual([["task", "1", "t", undefined, "1/image-get"]]);
});

test("a task's image is the latest artifact of that name, from a get or a task before it", () => {
  const config = "config: {platform: linux}";
  const plan = planOf(
    `[{get: toolchain}, {task: a, image: toolchain, ${config}},
      {task: build, config: {platform: linux, rootfs_uri: 'docker:///r/x', outputs: [{name: out}]}, output_mapping: {out: built}},
      {task: b, image: built, privileged: true, ${config}}, {task: c, image: nowhere, ${config}}, {task: d, image: out, ${config}}]`,
  );
  const artifacts = imagesOf(plan).filter(({ kind }) => kind === "artifact" || kind === "rootfs");
  expect(artifacts).toEqual([
    { kind: "artifact", stepId: "2", stepName: "a", artifact: "toolchain", from: plan.do?.[0], privileged: false },
    { kind: "rootfs", stepId: "3", stepName: "build", rootfsUri: "docker:///r/x", privileged: false },
    { kind: "artifact", stepId: "4", stepName: "b", artifact: "built", from: plan.do?.[2], privileged: true },
    { kind: "artifact", stepId: "5", stepName: "c", artifact: "nowhere", privileged: false },
    { kind: "artifact", stepId: "6", stepName: "d", artifact: "out", privileged: false },
  ]);
});

test("the image on a task step wins over the one in its config, and over its file", () => {
  const image = "image_resource: {type: git, source: {}}, rootfs_uri: x";
  expect(imagesOf(planOf(`[{task: a, image: i, config: {platform: linux, ${image}}}]`)).map(summary)).toEqual([
    ["artifact", "1", "a", undefined, "i"],
  ]);
  expect(imagesOf(planOf("[{task: a, image: i, file: f/t.yml}]"))).toMatchObject([{ kind: "artifact" }]);
  expect(imagesOf(planOf(`[{task: a, config: {platform: linux, ${image}}}]`)).at(-1)).toMatchObject({ kind: "task" });
});

test("a task whose config is in a file says where, and what makes the file", () => {
  const plan = planOf("[{get: repo}, {task: t, file: repo/ci/unit.yml, tags: [x]}, {task: u, file: elsewhere/u.yml}]");
  const [, file, elsewhere] = imagesOf(plan);
  expect(file).toMatchObject({
    kind: "file",
    stepId: "2",
    stepName: "t",
    configPath: "repo/ci/unit.yml",
    from: { id: "1" },
    tags: ["x"],
    privileged: false,
  });
  expect(file?.kind === "file" && file.resourceTypes.map(({ name }) => name)).toContain("custom");
  expect(elsewhere).not.toHaveProperty("from");
});

test("once the file is read, its image's needs are as an inline one's", () => {
  const resourceTypes = [{ name: "mine", type: "registry-image", source: { repository: "r/mine" } }];
  const imageResource = { name: "image", type: "mine", source: {} };
  const task = { stepId: "9", stepName: "t", privileged: false, tags: [], imageResource, resourceTypes };
  expect(taskImageNeeds({ ...task, skipInterval: true }).map(summary)).toEqual([
    ["type", "9/image-check", "image", "check", "9/image-check/image-get"],
    ["type", "9/image-get", "image", "get", "9/image-get/image-get"],
    ["task", "9", "t", undefined, "9/image-get"],
  ]);
  const last = taskImageNeeds({ ...task, skipInterval: true }).at(-1);
  expect(last).toMatchObject({ checkPlan: { check: { skip_interval: true } } });
  expect(last).not.toHaveProperty("skipInterval");
});

test("tasks without an image need none", () => {
  expect(imagesOf(planOf("[{task: t, config: {platform: darwin}}, {load_var: v, file: f}]"))).toEqual([]);
});

test("every attempt, hook, parallel step and sub-step is there, in the order in which it may run", () => {
  const plan = planOf(
    "[{in_parallel: [{get: repo}, {try: {get: r2, resource: repo}}]}, {get: r3, resource: repo, attempts: 2}, {do: [{get: r4, resource: repo}], timeout: 1h, on_failure: {get: r5, resource: repo}}, {get: r6, resource: repo, across: [{var: v, values: [a, b]}]}]",
    "ensure: {get: r7, resource: repo}",
  );
  expect(imagesOf(plan).map(({ stepName }) => stepName)).toEqual("repo r2 r3 r3 r4 r5 r6 r6 r7".split(" "));
});

test("an image that a run-time var is part of says which", () => {
  const image = "image_resource: {type: registry-image, source: {repository: r/go, tag: '((.:tag))-((.:os))'}}";
  const needs = imagesOf(planOf(`[{load_var: tag, file: f}, {task: t, config: {platform: linux, ${image}}}]`));
  expect(needs.at(-1)).toMatchObject({ kind: "task", waitsFor: [".:os", ".:tag"] });
});

function summary(need: ImageNeed): readonly (string | undefined)[] {
  const what =
    "getPlan" in need ? need.getPlan.id : need.kind === "base" ? need.baseType : "artifact" in need && need.artifact;
  return [need.kind, need.stepId, need.stepName, "stepKind" in need ? need.stepKind : undefined, String(what)];
}

function planOf(steps: string, hooks?: string): Plan {
  return jobOf(`${declarations}\njobs: [{name: unit, plan: ${steps}${hooks === undefined ? "" : `, ${hooks}`}}]`);
}

function jobOf(text: string): Plan {
  const parsed = parsePipeline(text, { file: "ci.yml" });
  if (!parsed.ok) throw parsed.error;
  const planned = planJob(parsed.pipeline, "unit");
  if (!planned.ok) throw planned.error;
  return planned.plan;
}
