import { FetchImageError } from "@fetch-image/core";
import { createFetchImageEngine } from "@fetch-image/engine";
import { describe, expect, test } from "vitest";
import { factsOf, factTypesOf, scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/git-resource";
const source = { repository, tag: "v1.2" };

describe("a node that died", () => {
  test("leaves fetches that the next node finishes, under the same ids", async () => {
    const { engine, eventLog, registry, clock } = scene({ node: "a" });
    const digest = registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    const lost = build.fetchImage({ ...typePlans("2", source), privileged: false });
    lost.catch(() => {});
    await clock.settle();
    await engine.close();
    await expect(lost).rejects.toMatchObject({ code: "FI_ENGINE_CLOSED" });
    expect(await factTypesOf(eventLog, "1")).toEqual(["BuildOpened", "FetchRequested"]);

    registry.release();
    const next = createFetchImageEngine({
      eventLog,
      registry,
      clock,
      nativeImageFetch: true,
      soleNode: true,
      node: "b",
    });
    const again = await next.openBuild({ id: "1" });
    const imageSpec = await again.fetchImage({ ...typePlans("2", source), privileged: false });
    expect(imageSpec.imageURL).toContain(digest);
    expect(await factTypesOf(eventLog, "1")).toEqual([
      "BuildOpened",
      "FetchRequested",
      "BuildAdopted",
      "ImageChecked",
      "ImageVersionResolved",
      "ImageShortCircuited",
    ]);
    await next.close();
  });

  test("leaves a fetch that goes on by itself, until its scheduler calls it off", async () => {
    const { engine, eventLog, registry, clock } = scene({ node: "a" });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    build.fetchImage({ ...typePlans("2", source), privileged: false }).catch(() => {});
    await clock.settle();
    await engine.close();
    const traits = { nativeImageFetch: true, soleNode: true, node: "b" };
    const next = createFetchImageEngine({ eventLog, registry, clock, ...traits });
    const again = await next.openBuild({ id: "1" });
    await clock.settle();
    const controller = new AbortController();
    const called = again.fetchImage({ ...typePlans("2", source), privileged: false, signal: controller.signal });
    await clock.settle();
    controller.abort();
    await expect(called).rejects.toMatchObject({ code: "FI_ABORTED" });
    expect((await factTypesOf(eventLog, "1")).at(-1)).toBe("FetchAborted");
    await next.close();
  });

  test("leaves a step's image that goes on by itself, until the step's fetch is called off", async () => {
    const stepRunner = {
      check: () => Promise.reject(new Error("no step runs")),
      get: () => Promise.reject(new Error()),
    };
    const { engine, eventLog, registry, clock } = scene({ node: "a", stepRunner });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const task = {
      stepId: "2",
      imageResource: { type: "git-image", source: { uri: "https://git.example.com/images" } },
      resourceTypes: [{ name: "git-image", type: "registry-image", source }],
      privileged: false,
    };
    const build = await engine.openBuild({ id: "1" });
    build.fetchTaskImage(task).catch(() => {});
    await clock.settle();
    await engine.close();
    const traits = { nativeImageFetch: true, soleNode: true, node: "b", stepRunner };
    const next = createFetchImageEngine({ eventLog, registry, clock, ...traits });
    const again = await next.openBuild({ id: "1" });
    await clock.settle();
    expect(registry.questions).toHaveLength(2);
    const called = again.fetchTaskImage({ ...task, signal: AbortSignal.abort() });
    await expect(called).rejects.toMatchObject({ code: "FI_ABORTED" });
    await clock.settle();
    const ended = (await factsOf(eventLog, "1")).flatMap((fact) => (fact.type === "FetchAborted" ? [fact.data] : []));
    expect(ended).toEqual([
      { fetchId: "2/image-get", reason: "the caller's signal aborted" },
      { fetchId: "2/image-check/image-get", reason: "the step that it was for has ended" },
    ]);
    await next.close();
  });

  test("and is not dead after all is fenced: it writes nothing more and says who writes", async () => {
    const { engine, eventLog, registry, clock } = scene({ node: "a" });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    const zombie = build.fetchImage({ ...typePlans("2", source), privileged: false });
    zombie.catch(() => {});
    await clock.settle();

    const next = createFetchImageEngine({
      eventLog,
      registry,
      clock,
      nativeImageFetch: true,
      soleNode: true,
      node: "b",
    });
    const adopted = await next.openBuild({ id: "1" });
    const rest = adopted.fetchImage({ ...typePlans("2", source), privileged: false });
    await clock.settle();
    registry.release();
    await expect(rest).resolves.toMatchObject({ privileged: false });
    await expect(zombie).rejects.toMatchObject({ code: "FI_BUILD_ADOPTED", details: { writer: "b" } });
    const types = await factTypesOf(eventLog, "1");
    expect(types.filter((type) => type === "ImageShortCircuited")).toHaveLength(1);
    await expect(build.fetchImage({ ...typePlans("3", source), privileged: false })).rejects.toMatchObject({
      code: "FI_BUILD_ADOPTED",
    });
    expect(await factTypesOf(eventLog, "1")).toEqual(types);
  });

  test("keeps a back-off's deadline: an overdue one fires at once", async () => {
    const { engine, eventLog, registry, clock } = scene({ node: "a" });
    registry.push(`${repository}:v1.2`, "one");
    registry.failNext(new FetchImageError("FI_RATE_LIMITED", { details: { retryAfterMs: 60_000 } }));
    const build = await engine.openBuild({ id: "1" });
    build.fetchImage({ ...typePlans("2", source), privileged: false }).catch(() => {});
    await clock.settle();
    await engine.close();

    await clock.advance(50_000);
    const soon = createFetchImageEngine({
      eventLog,
      registry,
      clock,
      nativeImageFetch: true,
      soleNode: true,
      node: "b",
    });
    await soon.openBuild({ id: "1" });
    await clock.advance(9_000);
    expect(registry.questions).toHaveLength(1);
    await soon.close();

    await clock.advance(50_000);
    const late = createFetchImageEngine({
      eventLog,
      registry,
      clock,
      nativeImageFetch: true,
      soleNode: true,
      node: "c",
    });
    await late.openBuild({ id: "1" });
    await clock.advance(0);
    await clock.advance(1);
    expect(registry.questions).toHaveLength(2);
    const fired = (await factsOf(eventLog, "1")).find(({ type }) => type === "TimerFired");
    expect(fired?.data).toMatchObject({ timer: "backoff" });
    await late.close();
  });
});
