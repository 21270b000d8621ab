import { FetchImageError, type StepRunner } from "@fetch-image/core";
import { createFetchImageEngine, type EngineSettings } from "@fetch-image/engine";
import { describe, expect, onTestFinished, test } from "vitest";
import { factTypesOf, scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/git-resource";
const plan = (step: string) => ({ ...typePlans(step, { repository, tag: "v1.2" }), privileged: false });
const limits = (maxFetches: number, maxWaitingFetches: number): Partial<EngineSettings> => ({
  maxFetches,
  maxWaitingFetches,
});

/** What became of a promise, as far as it goes. */
function watch<T>(promise: Promise<T>): { outcome: string } {
  const watched = { outcome: "waits" };
  promise.then(
    () => (watched.outcome = "ended"),
    (error: unknown) => (watched.outcome = FetchImageError.is(error) ? error.code : String(error)),
  );
  return watched;
}

describe("an engine that is full", () => {
  test("lets fetches wait, refuses those beyond by name of the setting, and goes on in the order they came", async () => {
    const { engine, eventLog, registry, clock } = scene({ settings: limits(2, 2) });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const builds = await Promise.all(["1", "2", "3", "4", "5"].map((id) => engine.openBuild({ id })));
    const fetches = builds.map((build) => build.fetchImage(plan("s")));
    const watched = fetches.map(watch);
    await expect(fetches[4]).rejects.toMatchObject({
      code: "FI_ENGINE_BUSY",
      retryable: true,
      message: expect.stringMatching(/maxFetches is 2.*maxWaitingFetches is 2/),
      details: { inFlight: 2, waiting: 2, maxFetches: 2, maxWaitingFetches: 2 },
    });
    await clock.settle();
    expect(await factTypesOf(eventLog, "3")).toEqual([]);
    registry.release();
    await Promise.all(fetches.slice(0, 4));
    expect(watched.map(({ outcome }) => outcome)).toEqual(["ended", "ended", "ended", "ended", "FI_ENGINE_BUSY"]);
    await expect(builds[4]?.fetchImage(plan("s"))).resolves.toMatchObject({ privileged: false });
  });

  test("forgets who stopped waiting: its signal, its build or the engine took it away, and nothing was stored", async () => {
    const { engine, eventLog, registry, clock } = scene({ settings: limits(1, 10) });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const ids = ["first", "aborted", "closed", "left"];
    const [first, aborted, closed, left] = await Promise.all(ids.map((id) => engine.openBuild({ id })));
    const controller = new AbortController();
    const outcomes = [
      first?.fetchImage(plan("s")),
      aborted?.fetchImage({ ...plan("s"), signal: controller.signal }),
      closed?.fetchImage(plan("s")),
      left?.fetchImage(plan("s")),
    ].map((each) => watch(each ?? Promise.reject(new Error("no build"))));
    await clock.settle();
    controller.abort();
    await closed?.close();
    await clock.settle();
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(["waits", "FI_ABORTED", "FI_ENGINE_CLOSED", "waits"]);
    const closing = engine.close({ deadlineMs: 1000 });
    registry.release();
    expect(await closing).toEqual({ finished: 1, left: [] });
    expect(outcomes.map(({ outcome }) => outcome)).toEqual([
      "ended",
      "FI_ABORTED",
      "FI_ENGINE_CLOSED",
      "FI_ENGINE_CLOSED",
    ]);
    for (const id of ["aborted", "closed", "left"]) expect(await factTypesOf(eventLog, id)).toEqual([]);
  });

  test("takes one fetch once, however many ask for it while it waits", async () => {
    const { engine, eventLog, registry, clock } = scene({ settings: limits(1, 10) });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const first = (await engine.openBuild({ id: "1" })).fetchImage(plan("s"));
    const build = await engine.openBuild({ id: "2" });
    const same = [build.fetchImage(plan("s")), build.fetchImage(plan("s")), build.fetchImage(plan("t"))];
    await clock.settle();
    registry.release();
    await Promise.all([first, ...same]);
    const types = await factTypesOf(eventLog, "2");
    expect(types.filter((type) => type === "FetchRequested")).toHaveLength(2);
    // Every place was given back.
    await expect(build.fetchImage(plan("u"))).resolves.toMatchObject({ privileged: false });
  });

  test("takes the image for the step of a fetch that it has taken: none waits for the other for ever", async () => {
    const stepRunner: StepRunner = {
      check: async () => [{ ref: "1" }],
      get: async (_plan, { image }) => ({ handle: `volume run in ${image.imageURL ?? "nothing"}` }),
    };
    const { engine, registry } = scene({ settings: limits(1, 0), stepRunner });
    registry.push(`${repository}:v1.2`, "one");
    const build = await engine.openBuild({ id: "1" });
    const inner = typePlans("s/image-get", { repository, tag: "v1.2" });
    const outer = { id: "s/image-get", get: { name: "mine", type: "mine", source: {}, version: { ref: "1" } } };
    const getPlan = {
      ...outer,
      get: { ...outer.get, image_check_plan: inner.checkPlan, image_get_plan: inner.getPlan },
    };
    const { imageArtifact } = await build.fetchImage({ getPlan, privileged: false });
    expect(imageArtifact?.handle).toContain(`docker:///${repository}:v1.2@sha256:`);
  });

  test("gives a place back where nothing could be begun", async () => {
    const { engine, registry } = scene({ settings: limits(1, 0) });
    registry.push(`${repository}:v1.2`, "one");
    const build = await engine.openBuild({ id: "1" });
    const wrong = { ...typePlans("x", { repository: "NOT ONE" }), privileged: false };
    await expect(build.fetchImage(wrong)).rejects.toMatchObject({ code: "FI_SOURCE_INVALID" });
    await expect(build.fetchImage(plan("s"))).resolves.toMatchObject({ privileged: false });
  });

  test("resumes what a stream holds all the same", async () => {
    const { engine, eventLog, registry, clock } = scene({ node: "a" });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    for (const step of ["s", "t", "u"]) build.fetchImage(plan(step)).catch(() => {});
    await clock.settle();
    await engine.close();
    registry.release();
    const ports = { eventLog, registry, clock, nativeImageFetch: true, soleNode: true };
    const next = createFetchImageEngine({ ...ports, node: "b", settings: limits(1, 0) });
    const again = await next.openBuild({ id: "1" });
    await clock.settle();
    expect(again.fetches().map(({ state }) => state)).toEqual(Array(3).fill("short-circuited"));
    await expect(again.fetchImage(plan("v"))).resolves.toMatchObject({ privileged: false });
    await next.close();
  });
});

test("a signal that a host has for all fetches of a build makes Node warn of nothing", async () => {
  const warnings: string[] = [];
  const hear = ({ name }: Error) => warnings.push(name);
  process.on("warning", hear);
  onTestFinished(() => void process.off("warning", hear));
  const { engine, registry, clock } = scene({ settings: limits(20, 20) });
  registry.push(`${repository}:v1.2`, "one");
  registry.hold();
  const build = await engine.openBuild({ id: "1" });
  const { signal } = new AbortController();
  const fetches = Array.from({ length: 40 }, (_, step) => build.fetchImage({ ...plan(`s${step}`), signal }));
  await clock.settle();
  registry.release();
  await Promise.all(fetches);
  expect(warnings).toEqual([]);
});
