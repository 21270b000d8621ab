import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type CheckPlan, type GetPlan, type JsonObject, parseReference, referenceOfImageURL } from "@fetch-image/core";
import { resolveBaseResourceType } from "@fetch-image/kubernetes";
import { imagesOf, parsePipeline, planJob } from "@fetch-image/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { acceptanceMissing, type Ground, scriptedStepRunner, startGround } from "../support/acceptance.ts";
import { factsOf, factTypesOf, typePlans } from "../support/engine.ts";

const missing = acceptanceMissing();

describe.skipIf(missing !== undefined)(`what is asked${missing === undefined ? "" : ` (${missing})`}`, () => {
  let ground: Ground;
  let digest: string;
  beforeAll(async () => {
    ground = await startGround();
    ({ digest } = await ground.registry.push("acme/git-resource:v1.2", { layers: ["git resource"] }));
  });
  afterAll(async () => {
    await ground[Symbol.asyncDispose]();
  });

  const source = () => ({ repository: `${ground.asked.host}/acme/git-resource`, tag: "v1.2" });

  test("R1: a custom resource type's image becomes an ImageURL without a get", async () => {
    await using scene = await ground.scene();
    const build = await scene.engine.openBuild({ id: "1" });
    const imageSpec = await build.fetchImage({ ...typePlans("2", source()), privileged: false });
    expect(imageSpec).toEqual({ imageURL: `docker:///${source().repository}:v1.2@${digest}`, privileged: false });
    expect(ground.asked.blobs()).toEqual([]);
    expect(await factTypesOf(scene.eventLog, "1")).not.toContain("ArtifactFetched");
  });

  test("R2: the version is still checked, so that a moved tag is followed", async () => {
    await using scene = await ground.scene();
    const { digest: before } = await ground.registry.push("acme/moving:v1", { layers: ["before"] });
    const moving = { repository: `${ground.asked.host}/acme/moving`, tag: "v1" };
    const build = await scene.engine.openBuild({ id: "1" });
    const first = await build.fetchImage({ ...typePlans("2", moving), privileged: false });
    const { digest: after } = await ground.registry.push("acme/moving:v1", { layers: ["after"] });
    const second = await build.fetchImage({ ...typePlans("3", moving, { interval: "0s" }), privileged: false });
    expect(first.imageURL).toContain(before);
    expect(second.imageURL).toContain(after);
    expect(ground.asked.manifests().map(({ method }) => method)).toEqual(["HEAD", "HEAD"]);
  });

  test("R3: the reference is of the form that a kubelet pulls, with tag and digest", async () => {
    await using scene = await ground.scene();
    const build = await scene.engine.openBuild({ id: "1" });
    const { imageURL } = await build.fetchImage({ ...typePlans("2", source()), privileged: false });
    const reference = referenceOfImageURL(imageURL ?? "") ?? "";
    const parsed = parseReference(reference);
    if (!parsed.ok) throw parsed.error;
    expect(parsed.reference).toMatchObject({ path: "acme/git-resource", tag: "v1.2", digest });
    expect(parsed.reference.canonical).toBe(reference);
  });

  test.each([
    { format: undefined, file: "rootfs/layer-1.txt", holds: "git resource" },
    { format: "rootfs", file: "rootfs/layer-1.txt", holds: "git resource" },
    { format: "oci", file: "image.tar", holds: "git resource" },
    { format: "oci-layout", file: "oci/single-image-digest", holds: "sha256:" },
  ])(
    "R4: a task's image that names an earlier get's output is there as that get makes it, $format",
    async (expected) => {
      const { format, file, holds } = expected;
      await using scene = await ground.scene();
      const { getPlan, checkPlan } = artifactPlans(source(), format);
      const build = await scene.engine.openBuild({ id: "1" });
      const imageSpec = await build.fetchImage({ getPlan, checkPlan, privileged: true, artifact: true });
      const directory = imageSpec.imageArtifact?.handle ?? "";
      expect(imageSpec).toEqual({
        imageArtifact: { handle: directory },
        resourceType: "registry-image",
        privileged: true,
      });
      expect(readFileSync(join(directory, file), "utf8")).toContain(holds);
      expect(readFileSync(join(directory, "digest"), "utf8")).toBe(digest);
      expect(readFileSync(join(directory, "tag"), "utf8")).toBe("v1.2");
      expect(readFileSync(join(directory, "repository"), "utf8")).toBe(source().repository);
      const types = await factTypesOf(scene.eventLog, "1");
      expect(types).toContain("ArtifactFetched");
      expect(types).not.toContain("ImageShortCircuited");
    },
  );

  test("R4: the bytes that one build has fetched are not downloaded for the next", async () => {
    await using scene = await ground.scene();
    const { digest: own } = await ground.registry.push("acme/tool:1", { layers: ["tool"] });
    const tool = { repository: `${ground.asked.host}/acme/tool`, tag: "1" };
    const handles: (string | undefined)[] = [];
    for (const id of ["1", "2"]) {
      const build = await scene.engine.openBuild({ id });
      const { imageArtifact } = await build.fetchImage({ ...artifactPlans(tool), privileged: false, artifact: true });
      handles.push(imageArtifact?.handle);
      expect(ground.asked.blobs().length > 0).toBe(id === "1");
      ground.asked.clear();
    }
    expect(handles[1]).toBe(handles[0]);
    expect(readFileSync(join(handles[0] ?? "", "digest"), "utf8")).toBe(own);
  });

  test("R6: base resource types come from the table and never reach FetchImage", async () => {
    const parsed = parsePipeline(basePipeline, { file: "base.yml" });
    if (!parsed.ok) throw parsed.error;
    const planned = planJob(parsed.pipeline, "unit");
    if (!planned.ok) throw planned.error;
    const needs = imagesOf(planned.plan);
    expect(needs.map(({ kind }) => kind)).toEqual(["base", "base", "base"]);
    for (const need of needs) {
      if (need.kind !== "base") throw new Error("not a base type");
      expect(resolveBaseResourceType(need.baseType)?.path).toContain(need.baseType);
    }
  });

  test("R7: on other runtimes check, get and artifact are as before", async () => {
    await using scene = await ground.scene({ nativeImageFetch: false });
    const build = await scene.engine.openBuild({ id: "1" });
    const imageSpec = await build.fetchImage({ ...typePlans("2", source()), privileged: true });
    expect(imageSpec).toMatchObject({ resourceType: "registry-image", privileged: true });
    expect(imageSpec.imageURL).toBeUndefined();
    expect(existsSync(join(imageSpec.imageArtifact?.handle ?? "", "rootfs"))).toBe(true);
  });

  test("R8: a pipeline with image_resource works unchanged", async () => {
    await using scene = await ground.scene();
    const parsed = parsePipeline(taskPipeline(source().repository), { file: "task.yml" });
    if (!parsed.ok) throw parsed.error;
    const planned = planJob(parsed.pipeline, "unit");
    if (!planned.ok) throw planned.error;
    const [need] = imagesOf(planned.plan);
    if (need?.kind !== "task") throw new Error("the task's image is not among the needs");
    const build = await scene.engine.openBuild({ id: "1" });
    const { imageResource, resourceTypes, stepId, privileged } = need;
    const imageSpec = await build.fetchTaskImage({ stepId, imageResource, resourceTypes, privileged });
    expect(imageSpec.imageURL).toBe(`docker:///${source().repository}:v1.2@${digest}`);
    const types = (await factsOf(scene.eventLog, "1")).map(({ type }) => type);
    expect(types.slice(1, 4)).toEqual(["FetchRequested", "ImageCheck", "ImageGet"]);
  });

  test("a type that no registry knows is run by the scheduler's own steps, its own image resolved first", async () => {
    const stepRunner = scriptedStepRunner({ versions: [{ ref: "abc" }] });
    await using scene = await ground.scene({ stepRunner });
    const inner = typePlans("2/image-get", source(), { name: "git-image" });
    const build = await scene.engine.openBuild({ id: "1" });
    const getPlan = {
      id: "2/image-get",
      get: {
        name: "custom",
        type: "git-image",
        source: { uri: "https://example.com/image.git" },
        image_get_plan: inner.getPlan,
        image_check_plan: inner.checkPlan,
      },
    };
    const checkPlan = {
      id: "2/image-check",
      check: { name: "custom", type: "git-image", source: { uri: "https://example.com/image.git" } },
    };
    const imageSpec = await build.fetchImage({ getPlan, checkPlan, privileged: false });
    expect(imageSpec).toEqual({
      imageArtifact: { handle: "volume-of-2/image-get" },
      resourceType: "git-image",
      privileged: false,
    });
    expect(stepRunner.gets[0]?.context.image.imageURL).toBe(`docker:///${source().repository}:v1.2@${digest}`);
    expect(stepRunner.gets[0]?.plan.get.version).toEqual({ ref: "abc" });
  });
});

/** The plans of a get, whose output a task names as its `image:`, as a pipeline's job has them. */
function artifactPlans(
  source: JsonObject,
  format?: string,
): { readonly getPlan: GetPlan; readonly checkPlan: CheckPlan } {
  const params = format === undefined ? {} : { params: { format } };
  const pipeline = {
    resources: [{ name: "tool", type: "registry-image", source }],
    jobs: [
      {
        name: "unit",
        plan: [
          { get: "tool", ...params },
          { task: "test", image: "tool", config: { platform: "linux", run: { path: "true" } } },
        ],
      },
    ],
  };
  const parsed = parsePipeline(JSON.stringify(pipeline), { file: "artifact.yml" });
  if (!parsed.ok) throw parsed.error;
  const planned = planJob(parsed.pipeline, "unit");
  if (!planned.ok) throw planned.error;
  const need = imagesOf(planned.plan).find(({ kind }) => kind === "artifact");
  if (need?.kind !== "artifact" || need.from?.get === undefined) throw new Error("the task's image is no get's output");
  const { id, get } = need.from;
  return { getPlan: { id, get }, checkPlan: { id: `${id}/check`, check: { name: get.name, type: get.type, source } } };
}

const basePipeline = `
resources:
- {name: repo, type: git, source: {uri: "https://example.com/repo.git"}}
- {name: nightly, type: time, source: {interval: 24h}}
jobs:
- name: unit
  plan:
  - get: repo
  - get: nightly
  - put: repo
    params: {repository: repo}
    no_get: true
`;

const taskPipeline = (repository: string) => `
jobs:
- name: unit
  plan:
  - task: test
    config:
      platform: linux
      image_resource:
        type: registry-image
        source: {repository: "${repository}", tag: v1.2}
      run: {path: go, args: [test, ./...]}
`;
