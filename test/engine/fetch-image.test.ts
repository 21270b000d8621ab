import { type EventLog, FetchImageError } from "@fetch-image/core";
import { createFetchImageEngine } from "@fetch-image/engine";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { describe, expect, test } from "vitest";
import { factsOf, factTypesOf, pinnedPlan, scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/git-resource";
const source = { repository, tag: "v1.2" };

describe("a registry-image on a runtime that pulls", () => {
  test("short-circuits to the digest that the tag points to, in two appends", async () => {
    const { engine, eventLog, registry } = scene();
    const digest = registry.push(`${repository}:v1.2`, "one");
    const build = await engine.openBuild({ id: "1" });
    const imageSpec = await build.fetchImage({ ...typePlans("2", source), privileged: false });
    expect(imageSpec).toEqual({ imageURL: `docker:///${repository}:v1.2@${digest}`, privileged: false });
    expect(await factTypesOf(eventLog, "1")).toEqual([
      "BuildOpened",
      "FetchRequested",
      "ImageChecked",
      "ImageVersionResolved",
      "ImageShortCircuited",
    ]);
    expect(registry.questions).toEqual([`${repository}:v1.2`]);
  });

  test("is answered from the scope's history while that is fresh, and asked again when it is not", async () => {
    const { engine, eventLog, registry, clock } = scene();
    registry.push(`${repository}:v1.2`, "one");
    const build = await engine.openBuild({ id: "1" });
    await build.fetchImage({ ...typePlans("2", source), privileged: false });
    await clock.advance(41_000);
    await build.fetchImage({ ...typePlans("3", source), privileged: false });
    expect(registry.questions).toHaveLength(1);
    const resolved = (await factsOf(eventLog, "1")).findLast(({ type }) => type === "ImageVersionResolved");
    expect(resolved?.data).toMatchObject({ fetchId: "3/image-get", via: "fresh", ageMs: 41_000, pinned: true });

    await clock.advance(30_000);
    const moved = registry.push(`${repository}:v1.2`, "two");
    const third = await build.fetchImage({ ...typePlans("4", source), privileged: false });
    expect(registry.questions).toHaveLength(2);
    expect(third.imageURL).toContain(moved);
    const rejected = (await factsOf(eventLog, "1")).findLast(({ type }) => type === "ImageVersionResolved");
    expect(rejected?.data).toMatchObject({
      rejected: [{ reason: "observed 1m11s ago, older than the interval of 1m" }],
    });
  });

  test("asks whatever the interval says when the build was triggered by hand", async () => {
    const { engine, registry } = scene();
    registry.push(`${repository}:v1.2`, "one");
    const build = await engine.openBuild({ id: "1" });
    await build.fetchImage({ ...typePlans("2", source), privileged: false });
    await build.fetchImage({ ...typePlans("3", source, { skip: true }), privileged: false });
    expect(registry.questions).toHaveLength(2);
  });

  test("a fetch whose answer is known without the network is one append", async () => {
    const appends: number[] = [];
    const { engine, registry } = scene({ eventLog: watched(createMemoryEventLog(), (count) => appends.push(count)) });
    const digest = registry.push(`${repository}:v1.2`, "one");
    const build = await engine.openBuild({ id: "1" });
    await build.fetchImage({ ...typePlans("2", source), privileged: false });
    await build.drained();
    appends.length = 0;
    await build.fetchImage({ ...typePlans("3", source), privileged: false });
    expect(appends).toHaveLength(1);
    appends.length = 0;
    await build.fetchImage({ getPlan: pinnedPlan("4", source, { digest }), privileged: false });
    expect(appends).toHaveLength(1);
    expect(registry.questions).toHaveLength(1);
  });

  test("many fetches of one scope at the same time ask once, and those that joined say so", async () => {
    const { engine, eventLog, registry, clock } = scene();
    const digest = registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    const other = await engine.openBuild({ id: "2" });
    const fetches = [2, 3, 4].map((id) => build.fetchImage({ ...typePlans(String(id), source), privileged: false }));
    fetches.push(other.fetchImage({ ...typePlans("2", source), privileged: false }));
    await clock.settle();
    registry.release();
    const specs = await Promise.all(fetches);
    expect(new Set(specs.map(({ imageURL }) => imageURL))).toEqual(new Set([`docker:///${repository}:v1.2@${digest}`]));
    expect(registry.questions).toHaveLength(1);
    const joined = (await factsOf(eventLog, "2")).find(({ type }) => type === "CheckJoined");
    expect(joined?.data).toMatchObject({ asker: { buildId: "1", fetchId: "2/image-get" } });
  });

  test("the asker's abort leaves the question open for those who joined", async () => {
    const { engine, registry, clock } = scene();
    const digest = registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    const controller = new AbortController();
    const { signal } = controller;
    const asker = build.fetchImage({ ...typePlans("2", source), privileged: false, signal });
    await clock.settle();
    const joiner = build.fetchImage({ ...typePlans("3", source), privileged: false });
    await clock.settle();
    controller.abort();
    await expect(asker).rejects.toMatchObject({ code: "FI_ABORTED" });
    registry.release();
    expect((await joiner).imageURL).toContain(digest);
    expect(registry.questions).toHaveLength(1);
  });

  test("of two who call for the same fetch one may leave, and with the last one it ends", async () => {
    const { engine, eventLog, registry, clock } = scene();
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    const [first, second] = [new AbortController(), new AbortController()];
    const [one, other] = [first, second].map(({ signal }) =>
      build.fetchImage({ ...typePlans("2", source), privileged: false, signal }),
    );
    await clock.settle();
    first.abort();
    await expect(one).rejects.toMatchObject({ code: "FI_ABORTED" });
    expect(await factTypesOf(eventLog, "1")).not.toContain("FetchAborted");
    second.abort();
    await expect(other).rejects.toMatchObject({ code: "FI_ABORTED" });
    expect((await factTypesOf(eventLog, "1")).at(-1)).toBe("FetchAborted");
  });

  test("a lone fetch's abort gives up the request, and stores that it was aborted", async () => {
    const { engine, eventLog, registry, clock } = scene();
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    const controller = new AbortController();
    const { signal } = controller;
    const fetch = build.fetchImage({ ...typePlans("2", source), privileged: false, signal });
    await clock.settle();
    controller.abort();
    await expect(fetch).rejects.toMatchObject({ code: "FI_ABORTED" });
    expect((await factTypesOf(eventLog, "1")).at(-1)).toBe("FetchAborted");
    // The next one asks anew, without waiting for a claim that nobody holds.
    registry.release();
    await clock.settle();
    await build.fetchImage({ ...typePlans("3", source), privileged: false });
    expect(registry.questions).toHaveLength(2);
  });

  test("a failure that may pass is tried again, after the machine's own delay", async () => {
    const { engine, eventLog, registry, clock } = scene();
    registry.push(`${repository}:v1.2`, "one");
    registry.failNext(new FetchImageError("FI_REGISTRY_UNAVAILABLE", { message: "registry.example.com answered 503" }));
    registry.failNext(
      new FetchImageError("FI_RATE_LIMITED", { message: "limited", details: { retryAfterMs: 20_000 } }),
    );
    const build = await engine.openBuild({ id: "1" });
    const fetch = build.fetchImage({ ...typePlans("2", source), privileged: false });
    await clock.advance(1000);
    expect(registry.questions).toHaveLength(2);
    await clock.advance(19_000);
    expect(registry.questions).toHaveLength(2);
    await clock.advance(2000);
    await expect(fetch).resolves.toMatchObject({ privileged: false });
    expect(registry.questions).toHaveLength(3);
    expect((await factTypesOf(eventLog, "1")).filter((type) => type === "TimerFired")).toHaveLength(2);
  });

  test("a Retry-After beyond the patience fails at once, with the registry's words", async () => {
    const { engine, registry } = scene();
    registry.failNext(
      new FetchImageError("FI_RATE_LIMITED", { message: "limited until 12:00", details: { retryAfterMs: 3_600_000 } }),
    );
    const build = await engine.openBuild({ id: "1" });
    const failure = await build.fetchImage({ ...typePlans("2", source), privileged: false }).catch((e: unknown) => e);
    expect(failure).toMatchObject({
      code: "FI_CHECK_FAILED",
      message: "image check failed: limited until 12:00",
      cause: { code: "FI_RATE_LIMITED" },
    });
  });

  test("a tag that the registry does not have fails, and guesses nothing", async () => {
    const { engine, eventLog } = scene();
    const build = await engine.openBuild({ id: "1" });
    await expect(build.fetchImage({ ...typePlans("2", source), privileged: false })).rejects.toMatchObject({
      code: "FI_CHECK_FAILED",
      cause: { code: "FI_IMAGE_UNKNOWN" },
    });
    expect((await factTypesOf(eventLog, "1")).at(-1)).toBe("FetchFailed");
  });
});

describe("the same plan in the same build", () => {
  test("is one fetch: a second call joins it, and gives its result later", async () => {
    const { engine, eventLog, registry } = scene();
    registry.push(`${repository}:v1.2`, "one");
    const build = await engine.openBuild({ id: "1" });
    const plans = { ...typePlans("2", source), privileged: false };
    const [first, second] = await Promise.all([build.fetchImage(plans), build.fetchImage(plans)]);
    expect(second).toEqual(first);
    expect(await build.fetchImage(plans)).toEqual(first);
    expect((await factTypesOf(eventLog, "1")).filter((type) => type === "FetchRequested")).toHaveLength(1);
  });

  test("a bad source is refused before anything is stored, and may be tried again", async () => {
    const { engine, eventLog } = scene();
    const build = await engine.openBuild({ id: "1" });
    const plans = { ...typePlans("2", { repository, tga: "v1" }), privileged: false };
    await expect(build.fetchImage(plans)).rejects.toMatchObject({ code: "FI_SOURCE_INVALID" });
    expect(await factTypesOf(eventLog, "1")).toEqual([]);
  });
});

/** The same log, that tells how many facts each append has. */
function watched(inner: EventLog, onAppend: (facts: number) => void): EventLog {
  return {
    append(stream, expected, facts) {
      onAppend(facts.length);
      return inner.append(stream, expected, facts);
    },
    read: (stream, options) => inner.read(stream, options),
    readAll: (options) => inner.readAll(options),
    subscribe: (options) => inner.subscribe(options),
    close: () => inner.close(),
  };
}

describe("a digest that is none", () => {
  test("in a pin is refused before anything is stored", async () => {
    const { engine, eventLog } = scene();
    const build = await engine.openBuild({ id: "1" });
    const getPlan = pinnedPlan("2", source, { digest: "sha256:short" });
    await expect(build.fetchImage({ getPlan, privileged: false })).rejects.toMatchObject({
      code: "FI_SOURCE_INVALID",
      details: { field: "version.digest" },
    });
    expect(await factTypesOf(eventLog, "1")).toEqual([]);
  });

  test("from a check step fails the check", async () => {
    const stepRunner = {
      check: async () => [{ tag: "v1.2", digest: "latest" }],
      get: async () => ({ handle: "none" }),
    };
    const { eventLog, clock } = scene();
    const engine = createFetchImageEngine({ eventLog, clock, stepRunner, nativeImageFetch: true });
    const build = await engine.openBuild({ id: "1" });
    await expect(build.fetchImage({ ...typePlans("2", source), privileged: false })).rejects.toMatchObject({
      code: "FI_CHECK_FAILED",
      message: expect.stringContaining("latest"),
    });
  });
});

describe("a source without a tag", () => {
  test("takes the newest version among the tags, and tells what it passed over", async () => {
    const { engine, eventLog, registry } = scene();
    registry.push(`${repository}:1.9.0`, "old");
    const newest = registry.push(`${repository}:1.10.0`, "new");
    registry.push(`${repository}:nightly`, "nightly");
    const build = await engine.openBuild({ id: "1" });
    const imageSpec = await build.fetchImage({ ...typePlans("2", { repository }), privileged: false });
    expect(imageSpec.imageURL).toBe(`docker:///${repository}:1.10.0@${newest}`);
    const resolved = (await factsOf(eventLog, "1")).find(({ type }) => type === "ImageVersionResolved");
    expect(resolved?.data).toMatchObject({ pinned: true, rejected: [{ candidate: "nightly" }] });
  });

  test("is answered once and then from its scope's history, as any other", async () => {
    const { engine, registry } = scene();
    registry.push(`${repository}:1.0.0`, "one");
    const build = await engine.openBuild({ id: "1" });
    const first = await build.fetchImage({ ...typePlans("2", { repository }), privileged: false });
    const asked = registry.questions.length;
    expect(await build.fetchImage({ ...typePlans("3", { repository }), privileged: false })).toEqual(first);
    expect(registry.questions).toHaveLength(asked);
  });

  test("whose repository has no version fails, and guesses nothing", async () => {
    const { engine, registry } = scene();
    registry.push(`${repository}:nightly`, "nightly");
    const build = await engine.openBuild({ id: "1" });
    await expect(build.fetchImage({ ...typePlans("2", { repository }), privileged: false })).rejects.toMatchObject({
      code: "FI_CHECK_FAILED",
      cause: { code: "FI_NO_VERSION" },
    });
  });
});
