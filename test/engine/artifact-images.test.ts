import { type ArtifactPusher, type ArtifactToPush, FetchImageError } from "@fetch-image/core";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { describe, expect, test } from "vitest";
import { scriptedStepRunner } from "../support/acceptance.ts";
import { factsOf, scene, typePlans } from "../support/engine.ts";

const digest = `sha256:${"d".repeat(64)}` as const;
const source = { repository: "registry.test/app", tag: "v1" };
const built = { planId: "9", artifact: "image", from: { handle: "/volumes/image" }, privileged: true };

/** Says what was brought to it, and gives it a digest. */
function pushing(fail?: FetchImageError): ArtifactPusher & { readonly pushed: ArtifactToPush[] } {
  const pushed: ArtifactToPush[] = [];
  return {
    pushed,
    async push(artifact) {
      pushed.push(artifact);
      if (fail !== undefined && pushed.length === 1) throw fail;
      return { reference: `registry.test/builds/image:b1@${digest}`, digest, uploadedBytes: 4096 };
    },
  };
}

describe("a task whose image names an artifact", () => {
  test("that a step has built runs by the digest that the push gave, and a fact says so", async () => {
    const artifactPusher = pushing();
    const { engine, eventLog } = scene({ artifactPusher });
    const build = await engine.openBuild({ id: "1", team: "main", pipeline: "ci", job: "unit" });
    const spec = await build.resolveArtifactImage(built);
    expect(spec).toEqual({ imageURL: `docker:///registry.test/builds/image:b1@${digest}`, privileged: true });
    expect(artifactPusher.pushed).toEqual([
      {
        artifact: { handle: "/volumes/image" },
        name: "image",
        buildId: "1",
        team: "main",
        pipeline: "ci",
        job: "unit",
        planId: "9",
      },
    ]);
    expect((await factsOf(eventLog, "1")).at(-1)).toMatchObject({
      type: "ArtifactImageResolved",
      data: { planId: "9", artifact: "image", via: "push", uploadedBytes: 4096 },
    });
    await engine.close();
  });

  test("is pushed once, whoever asks again, and in another process too", async () => {
    const artifactPusher = pushing();
    const eventLog = createMemoryEventLog();
    const specs = [];
    for (const node of ["a", "b"]) {
      const { engine } = scene({ artifactPusher, eventLog, node });
      const build = await engine.openBuild({ id: "1" });
      specs.push(...(await Promise.all([build.resolveArtifactImage(built), build.resolveArtifactImage(built)])));
      await engine.close();
    }
    expect(new Set(specs.map(({ imageURL }) => imageURL)).size).toBe(1);
    expect(artifactPusher.pushed.length).toBe(1);
    expect((await factsOf(eventLog, "1")).filter(({ type }) => type === "ArtifactImageResolved").length).toBe(1);
  });

  test("that could not be pushed is told, leaves no fact, and may be tried again", async () => {
    const artifactPusher = pushing(new FetchImageError("FI_FORBIDDEN"));
    const { engine, eventLog } = scene({ artifactPusher });
    const build = await engine.openBuild({ id: "1" });
    await expect(build.resolveArtifactImage(built)).rejects.toMatchObject({ code: "FI_FORBIDDEN" });
    expect(await eventLog.read("build-1")).toEqual([]);
    expect(await build.resolveArtifactImage(built)).toMatchObject({ privileged: true });
    await engine.close();
  });

  test("that a step has built does not run where there is no registry for it: the error names the setting", async () => {
    const { engine } = scene();
    const build = await engine.openBuild({ id: "1" });
    const failed = build.resolveArtifactImage(built);
    await expect(failed).rejects.toMatchObject({ code: "FI_PUSH_REGISTRY_MISSING", retryable: false });
    await expect(failed).rejects.toMatchObject({ hint: expect.stringContaining("push-registry") });
    await engine.close();
  });

  test("that a fetch of the build has brought runs by the digest that was fetched, and nothing is pushed", async () => {
    const artifactPusher = pushing();
    const { engine, eventLog, registry } = scene({ artifactPusher, stepRunner: scriptedStepRunner() });
    registry.push("registry.test/app:v1", "an app");
    const build = await engine.openBuild({ id: "1" });
    const plans = typePlans("2", source);
    const fetching = build.fetchImage({ ...plans, privileged: false, artifact: true });
    const resolving = build.resolveArtifactImage({ ...built, from: { fetchId: plans.getPlan.id }, privileged: false });
    const [fetched, spec] = await Promise.all([fetching, resolving]);
    expect(fetched.imageArtifact).toBeDefined();
    const [summary] = build.fetches();
    expect(spec).toEqual({ imageURL: `docker:///${summary?.reference}`, privileged: false });
    expect(spec.imageURL).toContain("@sha256:");
    expect(artifactPusher.pushed).toEqual([]);
    expect((await factsOf(eventLog, "1")).at(-1)).toMatchObject({
      data: { via: "registry", fetchedBy: plans.getPlan.id, reference: summary?.reference },
    });
    await engine.close();
  });

  test("that a fetch has brought from no registry, or without a digest, is pushed", async () => {
    const artifactPusher = pushing();
    const stepRunner = scriptedStepRunner({ versions: [{ ref: "abc" }] });
    const { engine, eventLog } = scene({ artifactPusher, stepRunner });
    const build = await engine.openBuild({ id: "1" });
    const plans = typePlans("2", { uri: "https://git.test/image.git" }, { type: "git" });
    await build.fetchImage({ ...plans, privileged: false, artifact: true });
    await build.resolveArtifactImage({ ...built, from: { fetchId: plans.getPlan.id } });
    expect(artifactPusher.pushed.map(({ artifact }) => artifact.handle)).toEqual(["volume-of-2/image-get"]);
    expect((await factsOf(eventLog, "1")).at(-1)).toMatchObject({ data: { via: "push", fetchedBy: plans.getPlan.id } });
    await engine.close();
  });

  test("of a plan that fetched nothing is refused by name", async () => {
    const { engine } = scene();
    const build = await engine.openBuild({ id: "1" });
    const failed = build.resolveArtifactImage({ ...built, from: { fetchId: "7" } });
    await expect(failed).rejects.toMatchObject({ code: "FI_PLAN_UNKNOWN", message: expect.stringContaining("plan 7") });
    await engine.close();
  });
});
