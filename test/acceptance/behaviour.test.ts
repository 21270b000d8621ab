import type { Policy, PolicyQuestion } from "@fetch-image/core";
import { renderBuildLog } from "@fetch-image/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { acceptanceMissing, type Ground, scriptedStepRunner, startGround } from "../support/acceptance.ts";
import { factsOf, factTypesOf, pinnedPlan, typePlans } from "../support/engine.ts";

const missing = acceptanceMissing();

describe.skipIf(missing !== undefined)(`case by case${missing === undefined ? "" : ` (${missing})`}`, () => {
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
  const pulled = () => `docker:///${source().repository}:v1.2@${digest}`;
  const task = (imageResource = { type: "registry-image", source: source() }) => ({
    stepId: "2",
    imageResource,
    resourceTypes: [],
    privileged: false,
  });

  test("B1: with nativeImageFetch off, check plan and get plan run and the ImageSpec has the artifact", async () => {
    const stepRunner = scriptedStepRunner({ versions: [{ tag: "v1.2", digest }] });
    await using scene = await ground.scene({ nativeImageFetch: false, stepRunner, nativeChecks: false });
    const build = await scene.engine.openBuild({ id: "1" });
    const imageSpec = await build.fetchImage({ ...typePlans("2", source()), privileged: false });
    expect(imageSpec).toEqual({
      imageArtifact: { handle: "volume-of-2/image-get" },
      resourceType: "registry-image",
      privileged: false,
    });
    expect(stepRunner.checks).toHaveLength(1);
    expect(stepRunner.gets[0]?.plan.get.version).toEqual({ tag: "v1.2", digest });
  });

  test("B2: on, registry-image, with a check plan: only the check runs, and its digest is in the ImageURL", async () => {
    const stepRunner = scriptedStepRunner({ versions: [{ tag: "v1.2", digest }] });
    await using scene = await ground.scene({ stepRunner, nativeChecks: false });
    const build = await scene.engine.openBuild({ id: "1" });
    const imageSpec = await build.fetchImage({ ...typePlans("2", source()), privileged: false });
    expect(imageSpec).toEqual({ imageURL: pulled(), privileged: false });
    expect(stepRunner.checks).toHaveLength(1);
    expect(stepRunner.gets).toEqual([]);
  });

  test("B2: the native check does the same with one HEAD", async () => {
    const stepRunner = scriptedStepRunner();
    await using scene = await ground.scene({ stepRunner });
    const build = await scene.engine.openBuild({ id: "1" });
    const imageSpec = await build.fetchImage({ ...typePlans("2", source()), privileged: false });
    expect(imageSpec).toEqual({ imageURL: pulled(), privileged: false });
    expect([...stepRunner.checks, ...stepRunner.gets]).toEqual([]);
    expect(ground.asked.manifests()).toEqual([{ method: "HEAD", path: "/v2/acme/git-resource/manifests/v1.2" }]);
  });

  test("B3: another type than registry-image takes its full check and get", async () => {
    const stepRunner = scriptedStepRunner({ versions: [{ ref: "old" }, { ref: "new" }] });
    await using scene = await ground.scene({ stepRunner });
    const build = await scene.engine.openBuild({ id: "1" });
    const plans = typePlans("2", { uri: "https://example.com/image.git" }, { type: "git" });
    const imageSpec = await build.fetchImage({ ...plans, privileged: false });
    expect(imageSpec).toEqual({
      imageArtifact: { handle: "volume-of-2/image-get" },
      resourceType: "git",
      privileged: false,
    });
    expect(stepRunner.gets[0]?.plan.get.version).toEqual({ ref: "new" });
    expect(ground.asked.requests).toEqual([]);
  });

  test("B4: a version pinned on the get plan, without a check plan: nothing runs", async () => {
    const stepRunner = scriptedStepRunner();
    await using scene = await ground.scene({ stepRunner });
    const build = await scene.engine.openBuild({ id: "1" });
    const getPlan = pinnedPlan("2", source(), { digest });
    expect(await build.fetchImage({ getPlan, privileged: false })).toEqual({ imageURL: pulled(), privileged: false });
    expect(ground.asked.requests).toEqual([]);
    expect([...stepRunner.checks, ...stepRunner.gets]).toEqual([]);
  });

  test.each([
    ["the static version on the get plan", { version: { tag: "v1.1" } }, "v1.1", "plan"],
    ["the source's tag", {}, "v1.2", "tag"],
  ])("B5: a step's check without a digest falls back to %s, and the fact says unpinned", async (_, extra, tag, via) => {
    const stepRunner = scriptedStepRunner({ versions: [{ tag: "v9" }] });
    await using scene = await ground.scene({ stepRunner, nativeChecks: false });
    const build = await scene.engine.openBuild({ id: "1" });
    const { getPlan, checkPlan } = typePlans("2", source());
    const imageSpec = await build.fetchImage({
      getPlan: { ...getPlan, get: { ...getPlan.get, ...extra } },
      checkPlan,
      privileged: false,
    });
    expect(imageSpec.imageURL).toBe(`docker:///${source().repository}:${tag}`);
    const resolved = (await factsOf(scene.eventLog, "1")).find(({ type }) => type === "ImageVersionResolved");
    expect(resolved?.data).toMatchObject({ pinned: false, via });
  });

  test("B5: and to latest, where nothing names a tag", async () => {
    const stepRunner = scriptedStepRunner({ versions: [{ some: "version" }] });
    await using scene = await ground.scene({ stepRunner, nativeChecks: false });
    const build = await scene.engine.openBuild({ id: "1" });
    const { repository } = source();
    const imageSpec = await build.fetchImage({ ...typePlans("2", { repository }), privileged: false });
    expect(imageSpec.imageURL).toBe(`docker:///${repository}:latest`);
    const resolved = (await factsOf(scene.eventLog, "1")).find(({ type }) => type === "ImageVersionResolved");
    expect(resolved?.data).toMatchObject({ pinned: false, via: "latest", reference: `${repository}:latest` });
  });

  test("B6: the check's digest comes before the static version, and that before the source's tag", async () => {
    const stepRunner = scriptedStepRunner({ versions: [{ tag: "v1.2", digest }] });
    await using scene = await ground.scene({ stepRunner, nativeChecks: false });
    const build = await scene.engine.openBuild({ id: "1" });
    const { getPlan, checkPlan } = typePlans("2", source());
    const other = `sha256:${"0".repeat(64)}`;
    const imageSpec = await build.fetchImage({
      getPlan: { ...getPlan, get: { ...getPlan.get, version: { tag: "v0", digest: other } } },
      checkPlan,
      privileged: false,
    });
    expect(imageSpec.imageURL).toBe(pulled());
    const resolved = (await factsOf(scene.eventLog, "1")).find(({ type }) => type === "ImageVersionResolved");
    expect(resolved?.data).toMatchObject({ rejected: [{ reason: "the check gave a digest, which comes first" }] });
  });

  test.each([true, false])(
    "B7: a task's image announces ImageCheck, then ImageGet, before anything runs (native: %s)",
    async (native) => {
      await using scene = await ground.scene({ nativeImageFetch: native });
      const build = await scene.engine.openBuild({ id: "1" });
      await build.fetchTaskImage(task());
      const facts = await factsOf(scene.eventLog, "1");
      expect(facts.slice(1, 4).map(({ type }) => type)).toEqual(["FetchRequested", "ImageCheck", "ImageGet"]);
      expect(facts[2]?.data).toEqual({
        fetchId: "2/image-get",
        planId: "2",
        plan: { id: "2/image-check", check: { name: "image", type: "registry-image" } },
      });
      expect(facts[3]?.data).toMatchObject({ planId: "2", plan: { id: "2/image-get" } });
      expect(facts.filter(({ type }) => type === "ImageCheck" || type === "ImageGet")).toHaveLength(2);
    },
  );

  test("B8: a task's pinned image has no ImageCheck, and its ImageGet carries the version", async () => {
    await using scene = await ground.scene();
    const build = await scene.engine.openBuild({ id: "1" });
    const pinned = { type: "registry-image", source: source(), version: { tag: "v1.2", digest } };
    expect((await build.fetchTaskImage(task(pinned))).imageURL).toBe(pulled());
    const facts = await factsOf(scene.eventLog, "1");
    expect(facts.map(({ type }) => type)).not.toContain("ImageCheck");
    const announced = facts.find(({ type }) => type === "ImageGet");
    expect(announced?.data).toMatchObject({ plan: { get: { version: { tag: "v1.2", digest } } } });
  });

  test("B9: privileged passes through on every path", async () => {
    const stepRunner = scriptedStepRunner({ versions: [{ tag: "v1.2", digest }] });
    await using scene = await ground.scene({ stepRunner });
    const build = await scene.engine.openBuild({ id: "1" });
    const privileged = true;
    const specs = [
      await build.fetchImage({ ...typePlans("2", source()), privileged }),
      await build.fetchImage({ getPlan: pinnedPlan("3", source(), { digest }), privileged }),
      await build.fetchImage({ ...typePlans("4", source()), privileged, artifact: true }),
      await build.fetchImage({ ...typePlans("5", { uri: "x" }, { type: "git" }), privileged }),
    ];
    expect(specs.map((spec) => spec.privileged)).toEqual([true, true, true, true]);
  });

  describe("B10: a policy", () => {
    const asking = (
      answer: Awaited<ReturnType<Policy["decide"]>>,
    ): Policy & { readonly questions: PolicyQuestion[] } => {
      const questions: PolicyQuestion[] = [];
      return {
        questions,
        async decide(question) {
          questions.push(question);
          return answer;
        },
      };
    };

    test("that denies hard lets nothing be requested, and gives a typed error and no ImageURL", async () => {
      const policy = asking({ decision: "denied", enforcement: "hard", reasons: ["acme is not allowed"] });
      await using scene = await ground.scene({ policy });
      const build = await scene.engine.openBuild({ id: "1" });
      const secret = { ...source(), username: "alice", password: "canary-password" };
      await expect(build.fetchImage({ ...typePlans("2", secret), privileged: true })).rejects.toMatchObject({
        code: "FI_POLICY_DENIED",
        message: `policy denies ${source().repository}: acme is not allowed`,
      });
      expect(ground.asked.requests).toEqual([]);
      expect(policy.questions).toEqual([
        {
          phase: "request",
          buildId: "1",
          name: "my-type",
          type: "registry-image",
          source: source(),
          privileged: true,
        },
      ]);
    });

    test("that denies softly warns in the log, and the fetch goes on", async () => {
      const policy = asking({ decision: "denied", enforcement: "soft", reasons: ["acme is deprecated"] });
      await using scene = await ground.scene({ policy });
      const build = await scene.engine.openBuild({ id: "1" });
      const { imageURL } = await build.fetchImage({ ...typePlans("2", source()), privileged: false });
      expect(imageURL).toBe(pulled());
      expect(policy.questions.map(({ phase }) => phase)).toEqual(["request", "digest"]);
      expect(policy.questions[1]?.reference).toBe(`${source().repository}:v1.2@${digest}`);
      expect(renderBuildLog(await factsOf(scene.eventLog, "1"))).toContain("acme is deprecated");
    });

    test("that gives no answer lets nothing be fetched", async () => {
      const policy: Policy = { decide: () => Promise.reject(new Error("agent unreachable")) };
      await using scene = await ground.scene({ policy });
      const build = await scene.engine.openBuild({ id: "1" });
      await expect(build.fetchImage({ ...typePlans("2", source()), privileged: false })).rejects.toMatchObject({
        code: "FI_POLICY_UNAVAILABLE",
      });
      expect(ground.asked.requests).toEqual([]);
    });
  });

  test("B11: a check that fails says so, with the cause, and nothing falls back silently", async () => {
    await using scene = await ground.scene();
    const build = await scene.engine.openBuild({ id: "1" });
    const absent = { repository: source().repository, tag: "v404" };
    await expect(build.fetchImage({ ...typePlans("2", absent), privileged: false })).rejects.toMatchObject({
      code: "FI_CHECK_FAILED",
      message: expect.stringMatching(/^image check failed: .*v404/),
      cause: { code: "FI_IMAGE_UNKNOWN" },
    });
    expect(await factTypesOf(scene.eventLog, "1")).not.toContain("ImageVersionResolved");
  });

  test("B11: a check that returns no version is a failure, never a guess", async () => {
    await using scene = await ground.scene({ stepRunner: scriptedStepRunner(), nativeChecks: false });
    const build = await scene.engine.openBuild({ id: "1" });
    await expect(build.fetchImage({ ...typePlans("2", source()), privileged: false })).rejects.toMatchObject({
      code: "FI_CHECK_FAILED",
      cause: { code: "FI_NO_VERSION" },
    });
  });

  test("B12: a get that fails says so, with the cause", async () => {
    const stepRunner = scriptedStepRunner({ versions: [{ ref: "a" }], getError: new Error("volume lost") });
    await using scene = await ground.scene({ stepRunner });
    const build = await scene.engine.openBuild({ id: "1" });
    const plans = typePlans("2", { uri: "x" }, { type: "git" });
    await expect(build.fetchImage({ ...plans, privileged: false })).rejects.toMatchObject({
      code: "FI_GET_FAILED",
      message: "image fetching failed: volume lost",
    });
  });

  test.each([true, false])("B13: the flag reaches every delegate alike (native: %s)", async (native) => {
    await using scene = await ground.scene({ nativeImageFetch: native });
    const build = await scene.engine.openBuild({ id: "1" });
    const specs = [
      await build.fetchImage({ ...typePlans("3", source()), privileged: false }),
      await build.fetchTaskImage(task()),
    ];
    expect(specs.map(({ imageURL }) => imageURL)).toEqual(native ? [pulled(), pulled()] : [undefined, undefined]);
    expect(specs.map(({ imageArtifact }) => imageArtifact !== undefined)).toEqual([!native, !native]);
  });

  test("B14: a nested type's inner image is resolved first, by the same rules", async () => {
    const stepRunner = scriptedStepRunner({ versions: [{ ref: "a" }] });
    await using scene = await ground.scene({ stepRunner });
    const build = await scene.engine.openBuild({ id: "1" });
    const types = [
      { name: "inner", type: "registry-image", source: source() },
      { name: "outer", type: "inner", source: { uri: "https://example.com/outer.git" } },
    ];
    await build.fetchTaskImage({
      stepId: "2",
      imageResource: { type: "outer", source: { uri: "https://example.com/task.git" } },
      resourceTypes: types,
      privileged: false,
    });
    const finished = (await factsOf(scene.eventLog, "1"))
      .filter(({ type }) => type === "ImageShortCircuited" || type === "ArtifactFetched")
      .map(({ data }) => ("fetchId" in data ? data.fetchId : ""));
    // What a fetch's own check or get runs in has an id that begins with the fetch's.
    expect(finished).toContain("2/image-get/image-get/image-get");
    for (const [index, outer] of finished.entries()) {
      const inner = finished.flatMap((id, at) => (id.startsWith(`${outer}/`) ? [at] : []));
      expect(inner.every((at) => at < index)).toBe(true);
    }
    expect(finished.at(-1)).toBe("2/image-get");
    expect(stepRunner.gets.at(-1)?.context.image.imageArtifact?.handle).toBe("volume-of-2/image-get/image-get");
  });

  test("B15: the image's version is recorded for the build, on every successful path", async () => {
    const stepRunner = scriptedStepRunner({ versions: [{ ref: "a" }] });
    await using scene = await ground.scene({ stepRunner });
    const build = await scene.engine.openBuild({ id: "1", team: "main", pipeline: "ci", job: "unit" });
    await build.fetchImage({ ...typePlans("2", source()), privileged: false });
    await build.fetchImage({ getPlan: pinnedPlan("3", source(), { digest }), privileged: false });
    await build.fetchImage({ ...typePlans("4", source()), privileged: false, artifact: true });
    await build.fetchImage({ ...typePlans("5", { uri: "x" }, { type: "git" }), privileged: false });
    await scene.engine.project();
    const rows = await scene.readModel.imagesOfBuild("1");
    expect(rows.map(({ fetchId, state, version }) => ({ fetchId, state, version }))).toEqual([
      { fetchId: "2/image-get", state: "short-circuited", version: { tag: "v1.2", digest } },
      { fetchId: "3/image-get", state: "short-circuited", version: { tag: "v1.2", digest } },
      { fetchId: "4/image-get", state: "fetched", version: { tag: "v1.2", digest } },
      { fetchId: "5/image-get", state: "fetched", version: { ref: "a" } },
    ]);
    // A pin is used and never recorded as what the scope has.
    const [scope] = await scene.readModel.scopes({ repository: source().repository });
    expect(await scene.readModel.versions(scope?.scope ?? "")).toHaveLength(1);
  });
});
