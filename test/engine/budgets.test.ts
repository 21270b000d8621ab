// What a registry has left for us is not spent on what is known, and a pause that it asks for is kept.
import { FetchImageError, type ScopeFact, scopeStream } from "@fetch-image/core";
import { createFetchImageEngine } from "@fetch-image/engine";
import { describe, expect, test } from "vitest";
import { factsOf, type Scene, scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/app";
const plenty = { limit: 100, remaining: 76, windowSeconds: 21_600 };
const low = { limit: 100, remaining: 10, windowSeconds: 21_600 };

/** Fetches one tag in a build of its own. */
async function fetchTag(
  { engine }: Pick<Scene, "engine">,
  buildId: string,
  tag: string,
  options: { readonly skip?: boolean } = {},
) {
  const build = await engine.openBuild({ id: buildId });
  const imageSpec = await build.fetchImage({ ...typePlans("2", { repository, tag }, options), privileged: false });
  return imageSpec.imageURL;
}

async function resolvedIn({ eventLog }: Scene, buildId: string) {
  const resolved = (await factsOf(eventLog, buildId)).find(({ type }) => type === "ImageVersionResolved");
  if (resolved?.type !== "ImageVersionResolved") throw new Error(`build ${buildId} resolved nothing`);
  return resolved.data;
}

function limited(retryAfterMs?: number): FetchImageError {
  return new FetchImageError("FI_RATE_LIMITED", {
    message: "registry.example.com answered 429",
    details: {
      host: "registry.example.com",
      limit: 100,
      remaining: 0,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  });
}

describe("where few of a registry's requests are left", () => {
  test("a scope with a version within the bound is served it, and its fact says why, how old and what is left", async () => {
    const ground = scene();
    const { registry, clock } = ground;
    const digest = registry.push(`${repository}:v1`, "one");
    registry.rateLimit = low;
    await fetchTag(ground, "1", "v1");
    await clock.advance(600_000);
    registry.push(`${repository}:v1`, "two");
    expect(await fetchTag(ground, "2", "v1")).toContain(digest);
    expect(registry.questions).toHaveLength(1);
    expect(await resolvedIn(ground, "2")).toMatchObject({
      via: "stale-served",
      pinned: true,
      ageMs: 600_000,
      evidence: {
        host: "registry.example.com",
        rateLimit: low,
        stale: { because: "budget", boundMs: 3_600_000 },
        asker: { buildId: "1" },
      },
      rejected: [{ candidate: "check", reason: "not asked, though observed 10m ago, older than the interval of 1m" }],
    });
  });

  test("a scope with none, or with none within the bound, asks all the same", async () => {
    const ground = scene();
    const { registry, clock } = ground;
    for (const tag of ["v1", "v2"]) registry.push(`${repository}:${tag}`, tag);
    registry.rateLimit = low;
    await fetchTag(ground, "1", "v1");
    await fetchTag(ground, "2", "v2");
    expect(registry.questions).toHaveLength(2);
    await clock.advance(3_600_001);
    await fetchTag(ground, "3", "v1");
    expect(registry.questions).toHaveLength(3);
  });

  test("who was triggered by hand asks", async () => {
    const ground = scene();
    ground.registry.push(`${repository}:v1`, "one");
    ground.registry.rateLimit = low;
    await fetchTag(ground, "1", "v1");
    await ground.clock.advance(600_000);
    await fetchTag(ground, "2", "v1", { skip: true });
    expect(ground.registry.questions).toHaveLength(2);
  });

  test("scopes that must ask do so one after another, and stop at the first refusal", async () => {
    const ground = scene({ settings: { attempts: 1 } });
    const { registry, clock } = ground;
    const tags = ["v1", "v2", "v3", "v4"];
    for (const tag of tags) registry.push(`${repository}:${tag}`, tag);
    registry.rateLimit = low;
    await fetchTag(ground, "0", "v1");
    await clock.advance(3_600_001);
    registry.hold();
    const fetches = tags.map((tag, at) => fetchTag(ground, `${at + 1}`, tag).catch((error: unknown) => error));
    await clock.settle();
    expect(registry.questions).toHaveLength(2);
    registry.failNext(limited(60_000));
    registry.release();
    const outcomes = await Promise.all(fetches);
    expect(registry.questions).toHaveLength(2);
    expect(outcomes).toEqual(
      Array.from({ length: 4 }, () =>
        expect.objectContaining({
          code: "FI_CHECK_FAILED",
          cause: expect.objectContaining({ code: "FI_RATE_LIMITED" }),
        }),
      ),
    );
  });

  test("questions under way count as spent", async () => {
    const ground = scene();
    const { registry, clock } = ground;
    const tags = Array.from({ length: 20 }, (_, at) => `v${at}`);
    for (const tag of tags) registry.push(`${repository}:${tag}`, tag);
    registry.rateLimit = { limit: 100, remaining: 15 };
    await fetchTag(ground, "first", "v0");
    registry.hold();
    const fetches = tags.slice(1).map((tag) => fetchTag(ground, tag, tag));
    await clock.settle();
    // The sixth would leave no more than the reserve of ten.
    expect(registry.questions).toHaveLength(1 + 5);
    registry.release();
    await Promise.all(fetches);
    expect(registry.questions).toHaveLength(20);
  });

  test("nothing is spared once the window is over, where enough is left, or where nothing is kept back", async () => {
    for (const [rateLimit, wait, settings] of [
      [low, 21_600_001, { stalenessBoundMs: 86_400_000 }],
      [{ ...low, remaining: 11 }, 600_000, {}],
      [low, 600_000, { rateLimitReserve: 0 }],
      [{ limit: 100 }, 600_000, {}],
    ] as const) {
      const ground = scene({ settings });
      ground.registry.push(`${repository}:v1`, "one");
      ground.registry.rateLimit = rateLimit;
      await fetchTag(ground, "1", "v1");
      await ground.clock.advance(wait);
      await fetchTag(ground, "2", "v1");
      expect(ground.registry.questions).toHaveLength(2);
    }
  });

  test("another identity, and another registry, have budgets of their own", async () => {
    const ground = scene();
    const { engine, registry, clock } = ground;
    const sources = [
      { repository, tag: "v1" },
      { repository, tag: "v1", username: "alice", password: "s3cret" },
      { repository: "registry.example.org/acme/app", tag: "v1" },
    ];
    for (const source of sources) registry.push(`${source.repository}:v1`, source.repository);
    const fetchAll = async (prefix: string) => {
      for (const [at, source] of sources.entries()) {
        registry.rateLimit = at === 0 ? low : plenty;
        const build = await engine.openBuild({ id: `${prefix}${at}` });
        await build.fetchImage({ ...typePlans("2", source), privileged: false });
      }
    };
    await fetchAll("a");
    await clock.advance(600_000);
    await fetchAll("b");
    expect(registry.questions).toHaveLength(5);
    expect((await resolvedIn(ground, "b0")).via).toBe("stale-served");
  });

  test("a process that starts anew knows it from the scope's stream", async () => {
    const ground = scene();
    const { registry, eventLog, clock } = ground;
    registry.push(`${repository}:v1`, "one");
    registry.rateLimit = low;
    await fetchTag(ground, "1", "v1");
    await ground.engine.close();
    await clock.advance(600_000);
    const engine = createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, soleNode: true });
    await fetchTag({ engine }, "2", "v1");
    expect(registry.questions).toHaveLength(1);
    expect((await resolvedIn(ground, "2")).via).toBe("stale-served");
  });
});

describe("where a registry asked for a pause", () => {
  test("who asks beside a claim that another write was faster than does not give way to his own question", async () => {
    const ground = scene({ settings: { retryAfterPatienceMs: 1000, attempts: 1 } });
    const { eventLog, registry, clock } = ground;
    for (const tag of ["v1", "v2"]) registry.push(`${repository}:${tag}`, tag);
    await fetchTag(ground, "1", "v1");
    registry.failNext(limited(300_000));
    await expect(fetchTag(ground, "2", "v2")).rejects.toMatchObject({ cause: { code: "FI_RATE_LIMITED" } });
    await clock.advance(300_000);
    // A write that was given up, and comes late.
    const [requested] = (await factsOf(eventLog, "1")).filter(({ type }) => type === "FetchRequested");
    if (requested?.type !== "FetchRequested") throw new Error("nothing was requested");
    const stream = scopeStream(requested.data.scope ?? "");
    const before = await eventLog.read(stream);
    const claims = before.filter(({ type }) => type === "CheckClaimed");
    const late = claims.map((claim) => ({ ...claim, id: "6f0e5a52-6f0c-4f43-9d3b-1a86f6c6a0f1" }));
    await eventLog.append(stream, before.at(-1)?.revision ?? "no-stream", late);

    const digest = registry.push(`${repository}:v1`, "moved");
    registry.hold();
    const byHand = fetchTag(ground, "3", "v1", { skip: true });
    await clock.settle();
    registry.release();
    expect(await byHand).toContain(digest);
    expect(registry.questions).toHaveLength(3);
  });

  test("nobody asks it before the end, and who has a version is served that one", async () => {
    const ground = scene({ settings: { retryAfterPatienceMs: 1000, attempts: 1 } });
    const { registry, clock } = ground;
    for (const tag of ["v1", "v2", "v3"]) registry.push(`${repository}:${tag}`, tag);
    await fetchTag(ground, "1", "v1");
    await clock.advance(120_000);
    registry.failNext(limited(300_000));
    await expect(fetchTag(ground, "2", "v2")).rejects.toMatchObject({ cause: { code: "FI_RATE_LIMITED" } });
    expect(registry.questions).toHaveLength(2);

    await fetchTag(ground, "3", "v1");
    await fetchTag(ground, "4", "v1", { skip: true });
    const until = "2026-11-22T00:07:00.000Z";
    for (const build of ["3", "4"]) {
      expect(await resolvedIn(ground, build)).toMatchObject({
        via: "stale-served",
        evidence: { stale: { because: "retry-after", until } },
      });
    }
    await expect(fetchTag(ground, "5", "v3")).rejects.toMatchObject({
      message: `image check failed: registry.example.com asked for a pause until ${until}, so ${repository} was not asked for`,
      cause: { code: "FI_RATE_LIMITED", details: { retryAfterMs: 300_000 } },
    });
    expect(registry.questions).toHaveLength(2);

    await clock.advance(300_000);
    await fetchTag(ground, "6", "v3");
    expect(registry.questions).toHaveLength(3);
  });

  test("who can wait so long waits, and asks once it is over: one after another until there is an answer", async () => {
    const ground = scene();
    const { registry, clock } = ground;
    for (const tag of ["v1", "v2", "v3"]) registry.push(`${repository}:${tag}`, tag);
    registry.failNext(limited(20_000));
    const first = fetchTag(ground, "1", "v1");
    await clock.settle();
    const others = ["v2", "v3"].map((tag) => fetchTag(ground, tag, tag));
    await clock.advance(19_999);
    expect(registry.questions).toHaveLength(1);
    registry.hold();
    await clock.advance(2);
    expect(registry.questions).toHaveLength(2);
    registry.release();
    await Promise.all([first, ...others]);
    expect(registry.questions).toHaveLength(4);
  });

  test("a process that starts anew, and every scope of it, keeps the pause", async () => {
    const ground = scene({ settings: { attempts: 1 } });
    const { registry, eventLog, clock } = ground;
    for (const tag of ["v1", "v2"]) registry.push(`${repository}:${tag}`, tag);
    registry.failNext(limited(300_000));
    await expect(fetchTag(ground, "1", "v1")).rejects.toThrow("answered 429");
    await ground.engine.close();
    const engine = createFetchImageEngine({
      eventLog,
      registry,
      clock,
      nativeImageFetch: true,
      settings: { attempts: 1 },
    });
    // The scope that met the refusal tells it; from then on every scope of the registry knows.
    for (const [build, tag] of [
      ["2", "v1"],
      ["3", "v2"],
    ] as const) {
      await expect(fetchTag({ engine }, build, tag)).rejects.toMatchObject({ cause: { code: "FI_RATE_LIMITED" } });
    }
    expect(registry.questions).toHaveLength(1);
  });

  test("an abort ends the waiting for another's answer", async () => {
    const ground = scene();
    const { engine, registry, clock } = ground;
    for (const tag of ["v1", "v2"]) registry.push(`${repository}:${tag}`, tag);
    registry.rateLimit = low;
    await fetchTag(ground, "0", "v0").catch(() => {});
    await clock.advance(1);
    registry.push(`${repository}:v3`, "v3");
    await fetchTag(ground, "00", "v3");
    registry.hold();
    const first = fetchTag(ground, "1", "v1");
    await clock.settle();
    const before = registry.questions.length;
    const build = await engine.openBuild({ id: "2" });
    const controller = new AbortController();
    const { signal } = controller;
    const second = build.fetchImage({ ...typePlans("2", { repository, tag: "v2" }), privileged: false, signal });
    await clock.settle();
    controller.abort();
    await expect(second).rejects.toMatchObject({ code: "FI_ABORTED" });
    expect(registry.questions).toHaveLength(before);
    registry.release();
    await first;
  });

  test("what a refusal told of the limit is a fact of the scope", async () => {
    const ground = scene({ settings: { attempts: 1 } });
    ground.registry.push(`${repository}:v1`, "v1");
    ground.registry.failNext(limited(300_000));
    await expect(fetchTag(ground, "1", "v1")).rejects.toThrow("answered 429");
    const requested = (await factsOf(ground.eventLog, "1")).find(({ type }) => type === "FetchRequested");
    const scope = requested?.type === "FetchRequested" ? (requested.data.scope ?? "") : "";
    const facts = (await ground.eventLog.read(scopeStream(scope))) as unknown as readonly ScopeFact[];
    expect(facts.map(({ type }) => type)).toEqual(["CheckClaimed", "CheckFailed", "RateLimitObserved"]);
    expect(facts[2]?.data).toEqual({ host: "registry.example.com", limit: 100, remaining: 0 });
  });
});

describe("a scope whose versions are found among tags", () => {
  test("asks from its last version on, and its fact counts the tags", async () => {
    const ground = scene();
    const { engine, registry, clock } = ground;
    for (const tag of ["1.0.0", "1.1.0", "1.2.0", "nightly"]) registry.push(`${repository}:${tag}`, tag);
    const fetch = async (id: string) => {
      const build = await engine.openBuild({ id });
      return await build.fetchImage({ ...typePlans("2", { repository }), privileged: false });
    };
    const first = await fetch("1");
    expect(registry.questions).toHaveLength(1 + 3);
    await clock.advance(61_000);
    expect(await fetch("2")).toEqual(first);
    expect(registry.questions.slice(4)).toEqual([repository, `${repository}:1.2.0`]);
  });
});
