// A registry that fails is asked less, not more: by every scope, build and node. What is stale says so.
import { FetchImageError, registryStreamPrefix, scopeStreamPrefix } from "@fetch-image/core";
import { createFetchImageEngine, type EngineOptions, type FetchImageEngine } from "@fetch-image/engine";
import { describe, expect, test } from "vitest";
import { factsOf, factTypesOf, type Scene, scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/app";
const host = "registry.example.com";
const minute = 60_000;

const unavailable = () =>
  new FetchImageError("FI_REGISTRY_UNAVAILABLE", { message: `${host} answered 503`, details: { host, status: 503 } });
const unreachable = () =>
  new FetchImageError("FI_REGISTRY_UNREACHABLE", { message: `${host} refused the connection`, details: { host } });
const refused = () =>
  new FetchImageError("FI_UNAUTHORIZED", { message: `${host} answered 401`, details: { host, status: 401 } });

/** Every question fails from now on, until `heal`. */
function breakDown({ registry }: Pick<Scene, "registry">, error: () => FetchImageError): { heal: () => void } {
  const check = registry.check.bind(registry);
  registry.check = (source, options) => {
    registry.failNext(error());
    return check(source, options);
  };
  return {
    heal() {
      registry.check = check;
    },
  };
}

/** Another engine over the same log. */
function another({ eventLog, registry, clock }: Scene, options: Partial<EngineOptions>): FetchImageEngine {
  return createFetchImageEngine({ eventLog, registry, clock, nativeImageFetch: true, ...options });
}

function fetchTag(
  engine: FetchImageEngine,
  buildId: string,
  options: { readonly tag?: string; readonly skip?: boolean; readonly source?: object } = {},
): Promise<string | undefined> {
  const { tag = "v1", skip = false, source = {} } = options;
  const plans = typePlans("2", { repository, tag, ...source }, skip ? { skip } : {});
  const fetching = engine
    .openBuild({ id: buildId })
    .then((build) => build.fetchImage({ ...plans, privileged: false }))
    .then(({ imageURL }) => imageURL);
  fetching.catch(() => {});
  return fetching;
}

async function resolvedIn({ eventLog }: Pick<Scene, "eventLog">, buildId: string) {
  const resolved = (await factsOf(eventLog, buildId)).find(({ type }) => type === "ImageVersionResolved");
  if (resolved?.type !== "ImageVersionResolved") throw new Error(`build ${buildId} resolved nothing`);
  return resolved.data;
}

describe("a scope whose check failed", () => {
  test("serves its last good answer within the bound, saying how old it is, why, and until when nobody asks", async () => {
    const ground = scene();
    const { engine, registry, clock } = ground;
    const digest = registry.push(`${repository}:v1`, "one");
    await fetchTag(engine, "1");
    await clock.advance(2 * minute);
    registry.failNext(unavailable());
    expect(await fetchTag(engine, "2")).toContain(digest);
    expect(await fetchTag(engine, "3")).toContain(digest);
    expect(registry.questions).toHaveLength(2);
    for (const build of ["2", "3"]) {
      const { via, ageMs, evidence } = await resolvedIn(ground, build);
      expect({ via, ageMs }).toEqual({ via: "stale-served", ageMs: 2 * minute });
      expect(evidence?.stale).toMatchObject({
        because: "failing",
        boundMs: 60 * minute,
        until: expect.stringMatching(/^2026-11-22T00:02:0[01]/),
        error: { code: "FI_REGISTRY_UNAVAILABLE", message: `${host} answered 503` },
      });
    }
  });

  test("serves no old answer to who joined by hand, whoever asked", async () => {
    const ground = scene({ settings: { attempts: 1 } });
    const { engine, registry, clock } = ground;
    const digest = registry.push(`${repository}:v1`, "one");
    await fetchTag(engine, "1");
    await clock.advance(2 * minute);
    registry.hold();
    registry.failNext(unavailable());
    const byInterval = fetchTag(engine, "2");
    await clock.settle();
    const byHand = fetchTag(engine, "3", { skip: true });
    await clock.settle();
    registry.release();
    expect(await byInterval).toContain(digest);
    await expect(byHand).rejects.toMatchObject({ code: "FI_CHECK_FAILED" });
    expect(await factTypesOf(ground.eventLog, "3")).toContain("CheckJoined");
  });

  test("fails past the bound with host, status, the last good digest and its age, in message and details", async () => {
    const ground = scene({ settings: { attempts: 1 } });
    const { engine, registry, clock } = ground;
    const digest = registry.push(`${repository}:v1`, "one");
    await fetchTag(engine, "1");
    await clock.advance(61 * minute);
    registry.failNext(unavailable());
    const bound = `the last good digest is ${digest}, observed 1h1m ago, and 1h is the staleness bound`;
    for (const build of ["2", "3"]) {
      await expect(fetchTag(engine, build)).rejects.toMatchObject({
        code: "FI_CHECK_FAILED",
        message: expect.stringMatching(new RegExp(`${host} answered 503.*${bound}`)),
        cause: {
          code: "FI_REGISTRY_UNAVAILABLE",
          details: { host, status: 503, lastGood: { tag: "v1", digest, ageMs: 61 * minute } },
        },
      });
    }
    expect(registry.questions).toHaveLength(2);
  });

  test("is asked again when the back-off is over, which doubles with each failure and begins anew after an answer", async () => {
    const ground = scene({ settings: { attempts: 1 } });
    const { engine, registry, clock } = ground;
    registry.push(`${repository}:v1`, "one");
    const down = breakDown(ground, unavailable);
    const asked: number[] = [];
    const begun = clock.now();
    for (let build = 0; asked.length < 5; build++) {
      const before = registry.questions.length;
      await fetchTag(engine, String(build)).catch(() => {});
      if (registry.questions.length > before) asked.push(clock.now() - begun);
      await clock.advance(50);
    }
    asked.slice(1).forEach((at, index) => {
      const pause = at - (asked[index] ?? 0);
      expect(pause).toBeGreaterThanOrEqual(750 * 2 ** index);
      expect(pause).toBeLessThanOrEqual(1000 * 2 ** index + 50);
    });
    await clock.advance(minute);
    down.heal();
    await fetchTag(engine, "healthy");
    await clock.advance(2 * minute);
    registry.failNext(unavailable());
    const { length } = registry.questions;
    await fetchTag(engine, "a");
    await clock.advance(1000);
    await fetchTag(engine, "b");
    expect(registry.questions).toHaveLength(length + 2);
  });

  test("is asked at once for a build by hand, but for each only once", async () => {
    const ground = scene();
    const { engine, registry, clock } = ground;
    breakDown(ground, unavailable);
    const first = fetchTag(engine, "1");
    await clock.settle();
    expect(registry.questions).toHaveLength(1);
    const byHand = fetchTag(engine, "2", { skip: true });
    await clock.settle();
    expect(registry.questions).toHaveLength(2);
    await clock.advance(500);
    expect(registry.questions).toHaveLength(2);
    await clock.advance(2 * minute);
    await expect(byHand).rejects.toMatchObject({ cause: { code: "FI_REGISTRY_UNAVAILABLE" } });
    await expect(first).rejects.toMatchObject({ cause: { code: "FI_REGISTRY_UNAVAILABLE" } });
  });

  test("gives no old answer to who builds by hand, but fails and names it", async () => {
    const ground = scene({ settings: { attempts: 1 } });
    const { engine, registry, clock } = ground;
    const digest = registry.push(`${repository}:v1`, "one");
    await fetchTag(engine, "1");
    await clock.advance(2 * minute);
    breakDown(ground, unavailable);
    await expect(fetchTag(engine, "2", { skip: true })).rejects.toThrow(
      `answered 503; the last good digest is ${digest}, observed 2m ago, which is not taken by hand`,
    );
    expect(await fetchTag(engine, "3")).toContain(digest);
  });

  test("counts its failures over nodes: what one met, the other waits for", async () => {
    const ground = scene({ node: "a", soleNode: false, settings: { attempts: 1 } });
    const { engine, registry } = ground;
    const b = another(ground, { node: "b", settings: { attempts: 1 } });
    registry.failNext(unavailable());
    await expect(fetchTag(engine, "1")).rejects.toThrow("answered 503");
    await expect(fetchTag(b, "2")).rejects.toThrow(/answered 503; after a failure not asked again before 2026-11-22T/);
    expect(registry.questions).toHaveLength(1);
  });
});

describe("a refusal that does not pass by itself", () => {
  test("stands for a short while, for every build on every node, and not for who builds by hand", async () => {
    const ground = scene({ node: "a", soleNode: false });
    const { engine, registry, clock } = ground;
    const b = another(ground, { node: "b" });
    breakDown(ground, refused);
    await expect(fetchTag(engine, "1")).rejects.toMatchObject({ cause: { code: "FI_UNAUTHORIZED" } });
    for (const [each, build] of [
      [engine, "2"],
      [b, "3"],
    ] as const) {
      await expect(fetchTag(each, build)).rejects.toThrow(
        `${host} answered 401; not asked again before 2026-11-22T00:00:10.000Z unless by hand`,
      );
    }
    expect(registry.questions).toHaveLength(1);
    await expect(fetchTag(b, "4", { skip: true })).rejects.toMatchObject({ cause: { code: "FI_UNAUTHORIZED" } });
    expect(registry.questions).toHaveLength(2);
    await clock.advance(10_000);
    await expect(fetchTag(engine, "5")).rejects.toMatchObject({ cause: { code: "FI_UNAUTHORIZED" } });
    expect(registry.questions).toHaveLength(3);
  });

  test("does not stand for a password that was rotated since: the same scope, asked at once, and once", async () => {
    const ground = scene();
    const { engine, registry, eventLog } = ground;
    const digest = registry.push(`${repository}:v1`, "one");
    const login = (password: string) => ({ source: { username: "ci", password } });
    registry.failNext(refused());
    await expect(fetchTag(engine, "1", login("old"))).rejects.toThrow("answered 401");
    await expect(fetchTag(engine, "2", login("old"))).rejects.toThrow("answered 401");
    expect(registry.questions).toHaveLength(1);
    expect(await fetchTag(engine, "3", login("new"))).toContain(digest);
    expect(registry.questions).toHaveLength(2);
    const { facts } = await eventLog.readAll({ limit: 100, filter: { streamPrefixes: [scopeStreamPrefix] } });
    expect(new Set(facts.map(({ stream }) => stream)).size).toBe(1);
  });

  test("is an image that is not there, too, until who pushes it builds by hand or a while later", async () => {
    const ground = scene({ node: "a", soleNode: false });
    const { engine, registry, clock } = ground;
    const b = another(ground, { node: "b" });
    for (const [each, build] of [
      [engine, "1"],
      [engine, "2"],
      [b, "3"],
    ] as const) {
      await expect(fetchTag(each, build)).rejects.toMatchObject({ cause: { code: "FI_IMAGE_UNKNOWN" } });
    }
    expect(registry.questions).toHaveLength(1);
    const digest = registry.push(`${repository}:v1`, "one");
    await clock.advance(10_000);
    expect(await fetchTag(b, "4")).toContain(digest);
  });
});

describe("a registry that is down", () => {
  test("for an hour is asked as often as its back-off allows, whatever the builds, scopes and nodes", async () => {
    const ground = scene({ node: "a", soleNode: false });
    const { engine, registry, clock, eventLog } = ground;
    const nodes = [engine, another(ground, { node: "b" })];
    const tags = ["v1", "v2", "v3"];
    const digest = registry.push(`${repository}:v1`, "one");
    registry.push(`${repository}:v2`, "two");
    await fetchTag(engine, "before");
    await clock.advance(2 * minute);
    const down = breakDown(ground, unreachable);
    const { length: askedBefore } = registry.questions;
    const outcomes: Promise<{ readonly tag: string; readonly told: unknown }>[] = [];
    // Four builds a minute, over both nodes and three tags, of which one was ever seen.
    for (let build = 0; build < 240; build++) {
      const tag = tags[build % 3] ?? "";
      const node = nodes[build % 2] ?? engine;
      const told = fetchTag(node, `b${build}`, { tag }).catch((error: unknown) => error);
      outcomes.push(told.then((each) => ({ tag, told: each })));
      await clock.advance(15_000);
    }
    await clock.advance(2 * minute);
    const asked = registry.questions.length - askedBefore;
    // 1, 2, 4 … 32 s, then a minute each, of which jitter takes a quarter at the most; one may be asked beside each other.
    expect(asked).toBeLessThanOrEqual(6 + Math.ceil(3600 / 45) + 3);
    expect(asked).toBeGreaterThan(20);
    const ends = await Promise.all(outcomes);
    const answered = ends.filter(({ told }) => typeof told === "string");
    // What one of them was once told is served for an hour; whatever else they ask for fails, and says why.
    expect(new Set(answered.map(({ tag }) => tag))).toEqual(new Set(["v1"]));
    expect(answered.length).toBeGreaterThan(70);
    for (const { told } of answered) expect(told).toContain(digest);
    for (const { told } of ends.filter((end) => !answered.includes(end))) {
      expect(told).toMatchObject({
        code: "FI_CHECK_FAILED",
        message: expect.stringContaining(`${host} refused the connection`),
        cause: { code: "FI_REGISTRY_UNREACHABLE", details: { host } },
      });
    }
    // Once it is back, the first that may try shows it to all.
    down.heal();
    await clock.advance(minute);
    expect(await fetchTag(nodes[1] ?? engine, "after", { tag: "v2" })).toBeDefined();
    expect(await fetchTag(engine, "after2", { tag: "v1" })).toContain(digest);
    const { facts } = await eventLog.readAll({ limit: 10_000, filter: { streamPrefixes: [registryStreamPrefix] } });
    expect(facts.at(-1)?.type).toBe("RegistryAnswered");
  });

  test("is tried by one, though the failure of a question from before comes in meanwhile", async () => {
    const ground = scene({ node: "a", soleNode: false, settings: { attempts: 1 } });
    const { engine: a, registry, clock } = ground;
    const [b, c] = ["b", "c"].map((node) => another(ground, { node, settings: { attempts: 1 } }));
    const asked: (string | undefined)[] = [];
    const fail = new Map<string | undefined, (error: FetchImageError) => void>();
    registry.check = ({ tag }) => {
      asked.push(tag);
      return new Promise((_, reject) => fail.set(tag, reject));
    };
    const ask = async (engine: FetchImageEngine | undefined, buildId: string, tag: string): Promise<void> => {
      if (engine !== undefined) fetchTag(engine, buildId, { tag }).catch(() => {});
      await clock.settle();
    };
    await ask(b, "1", "v2");
    await ask(a, "2", "v1");
    fail.get("v1")?.(unreachable());
    await clock.advance(2000);
    await ask(a, "3", "v1");
    expect(asked).toEqual(["v2", "v1", "v1"]);
    fail.get("v2")?.(unreachable());
    await clock.advance(2000);
    await ask(c, "4", "v3");
    await clock.advance(5000);
    expect(asked).toEqual(["v2", "v1", "v1"]);
    fail.get("v1")?.(refused());
    await clock.advance(1000);
    expect(asked).toEqual(["v2", "v1", "v1", "v3"]);
    fail.get("v3")?.(refused());
  });

  test("is not tried by one whose turn was over before his claim was stored", async () => {
    const ground = scene({ node: "a", soleNode: false, settings: { attempts: 1 } });
    const { engine: a, registry, clock, eventLog } = ground;
    const b = another(ground, { node: "b", settings: { attempts: 1 } });
    const append = eventLog.append.bind(eventLog);
    let arrive = (): void => {};
    const arrival = new Promise<void>((resolve) => (arrive = resolve));
    let turns = 0;
    eventLog.append = async (stream, expected, facts) => {
      const appended = await append(stream, expected, facts);
      if (facts[0]?.type === "RegistryProbed" && ++turns === 1) await arrival;
      return appended;
    };
    const asked: (string | undefined)[] = [];
    registry.check = ({ tag }) => {
      asked.push(tag);
      return Promise.reject(unreachable());
    };
    await expect(fetchTag(a, "1")).rejects.toThrow("refused the connection");
    await clock.advance(2000);
    const late = fetchTag(a, "2");
    await clock.advance(31_000);
    await expect(fetchTag(b, "3", { tag: "v2" })).rejects.toThrow("refused the connection");
    expect(asked).toEqual(["v1", "v2"]);
    arrive();
    await expect(late).rejects.toThrow("refused the connection");
    expect(asked).toEqual(["v1", "v2"]);
  });

  test("is tried by another in the time of one who died trying, though the clock of that one was an hour ahead", async () => {
    const ground = scene({ node: "a", soleNode: false, settings: { attempts: 1 } });
    const { engine: a, registry, clock } = ground;
    const ahead = { ...clock, now: () => clock.now() + 60 * minute };
    const b = another({ ...ground, clock: ahead }, { node: "b" });
    const digest = registry.push(`${repository}:v1`, "one");
    const down = breakDown(ground, unreachable);
    await expect(fetchTag(a, "1")).rejects.toThrow("refused the connection");
    down.heal();
    registry.hold();
    void fetchTag(b, "2", { tag: "v2" });
    await clock.settle();
    await b.close();
    registry.release();
    await clock.settle();
    expect(registry.questions).toHaveLength(2);
    await clock.advance(2000);
    const fetch = fetchTag(a, "3");
    await clock.advance(32_000);
    expect(await fetch).toContain(digest);
  });

  test("where one repository alone fails, the others of the registry are asked as ever", async () => {
    const ground = scene({ settings: { attempts: 1 } });
    const { engine, registry } = ground;
    registry.push(`${repository}:v2`, "two");
    registry.failNext(unavailable());
    await expect(fetchTag(engine, "1")).rejects.toThrow("answered 503");
    await fetchTag(engine, "2", { tag: "v2" });
    expect(registry.questions).toHaveLength(2);
  });

  test("costs nothing while it is up: no fact, and no read for a fetch whose answer is known", async () => {
    const ground = scene({ node: "a", soleNode: false });
    const { engine, registry, eventLog } = ground;
    registry.push(`${repository}:v1`, "one");
    await fetchTag(engine, "1");
    const read = eventLog.read.bind(eventLog);
    const streams: string[] = [];
    eventLog.read = (stream, options) => {
      streams.push(stream);
      return read(stream, options);
    };
    await fetchTag(engine, "2");
    expect(streams.filter((stream) => !stream.startsWith("build-"))).toEqual([]);
    const { facts } = await eventLog.readAll({ limit: 10, filter: { streamPrefixes: [registryStreamPrefix] } });
    expect(facts).toEqual([]);
  });
});

describe("a pause that a registry asked for", () => {
  test("holds for every scope on every node, whichever met it", async () => {
    const ground = scene({ node: "a", soleNode: false, settings: { attempts: 1 } });
    const { engine, registry, clock } = ground;
    const b = another(ground, { node: "b", settings: { attempts: 1 } });
    registry.push(`${repository}:v2`, "two");
    await fetchTag(b, "0", { tag: "v2" });
    await clock.advance(2 * minute);
    const retryAfterMs = 5 * minute;
    registry.failNext(
      new FetchImageError("FI_RATE_LIMITED", { message: `${host} answered 429`, details: { host, retryAfterMs } }),
    );
    await expect(fetchTag(engine, "1")).rejects.toThrow("answered 429");
    await expect(fetchTag(b, "2", { tag: "v3" })).rejects.toThrow(
      `${host} asked for a pause until 2026-11-22T00:07:00`,
    );
    await fetchTag(b, "3", { tag: "v2" });
    expect((await resolvedIn(ground, "3")).evidence?.stale).toMatchObject({ because: "retry-after" });
    expect(registry.questions).toHaveLength(2);
    await clock.advance(retryAfterMs);
    await fetchTag(b, "4", { tag: "v2" });
    expect(registry.questions).toHaveLength(3);
  });
});

test("a pause that a registry asked for is not cut short by the failure of a question from before", async () => {
  const ground = scene({ settings: { attempts: 1 } });
  const { engine, registry, clock } = ground;
  const asked: (string | undefined)[] = [];
  const fail = new Map<string | undefined, (error: FetchImageError) => void>();
  registry.check = ({ tag }) => {
    asked.push(tag);
    return new Promise((_, reject) => fail.set(tag, reject));
  };
  const outcomes = ["v1", "v2"].map((tag) => fetchTag(engine, tag, { tag }).catch((error: unknown) => error));
  await clock.advance(1000);
  fail.get("v1")?.(new FetchImageError("FI_RATE_LIMITED", { details: { host, retryAfterMs: minute } }));
  await clock.advance(1000);
  fail.get("v2")?.(unavailable());
  await clock.advance(30_000);
  await Promise.all(outcomes);
  await expect(fetchTag(engine, "3", { tag: "v3" })).rejects.toThrow(
    `${host} asked for a pause until 2026-11-22T00:01:01`,
  );
  expect(asked).toEqual(["v1", "v2"]);
});

describe("an answer that is old, and is asked for beside the fetch", () => {
  test("is served at once, one check runs for all, and its facts are the scope's", async () => {
    const ground = scene({ settings: { staleWhileRevalidateMs: 10 * minute } });
    const { engine, registry, clock } = ground;
    const old = registry.push(`${repository}:v1`, "one");
    await fetchTag(engine, "1");
    await clock.advance(5 * minute);
    const moved = registry.push(`${repository}:v1`, "two");
    registry.hold();
    for (const build of ["2", "3"]) {
      expect(await fetchTag(engine, build)).toContain(old);
      const { via, evidence } = await resolvedIn(ground, build);
      expect(via).toBe("stale-served");
      expect(evidence?.stale).toEqual({ because: "revalidating", boundMs: 11 * minute });
      expect(await factTypesOf(ground.eventLog, build)).not.toContain("ImageCheckFailed");
    }
    expect(registry.questions).toHaveLength(2);
    registry.release();
    await clock.settle();
    expect(await fetchTag(engine, "4")).toContain(moved);
    expect((await resolvedIn(ground, "4")).evidence).toMatchObject({ via: "fresh", asker: { buildId: "2" } });
  });

  test("is waited for beyond the window, and by who builds by hand", async () => {
    for (const [wait, skip] of [
      [12 * minute, false],
      [5 * minute, true],
    ] as const) {
      const ground = scene({ settings: { staleWhileRevalidateMs: 10 * minute } });
      const { engine, registry, clock } = ground;
      registry.push(`${repository}:v1`, "one");
      await fetchTag(engine, "1");
      await clock.advance(wait);
      const moved = registry.push(`${repository}:v1`, "two");
      expect(await fetchTag(engine, "2", { skip })).toContain(moved);
    }
  });
});

describe("settings by repository", () => {
  test("hold for the repositories that fit, the first rule that has a setting deciding it", async () => {
    const ground = scene({
      scopes: [
        { repositories: "registry.example.com/acme/*", checkIntervalMs: 10 * minute },
        { repositories: "registry.example.com/*", checkIntervalMs: 1000, stalenessBoundMs: 0 },
      ],
      settings: { attempts: 1 },
    });
    const { engine, registry, clock } = ground;
    registry.push(`${repository}:v1`, "one");
    await fetchTag(engine, "1");
    await clock.advance(9 * minute);
    await fetchTag(engine, "2");
    expect(registry.questions).toHaveLength(1);
    await clock.advance(2 * minute);
    registry.failNext(unavailable());
    await expect(fetchTag(engine, "3")).rejects.toThrow("0ms is the staleness bound");
  });

  test.each([
    [{ settings: { claimMs: 0 } }, "settings.claimMs must be milliseconds from 1 on, not 0"],
    [
      { settings: { failureBackoffCapMs: 10 } },
      "settings.failureBackoffCapMs must be at least failureBackoffBaseMs, 1000, not 10",
    ],
    [{ scopes: [{ repositories: "a b" }] }, "scopes[0].repositories must be a repository such as"],
    [{ scopes: [{ repositories: "a.example.com/b:v1" }] }, "without a tag"],
    [{ scopes: [{ repositories: "*", refusalMemoryMs: -1 }] }, "scopes[0].refusalMemoryMs must be"],
    [{ scopes: [{ repositories: "*", attempts: 3 } as never] }, "scopes[0].attempts must be one of checkIntervalMs"],
  ] as const)("%j is refused", (options, says) => {
    expect(() => scene(options as Partial<EngineOptions>)).toThrow(says);
  });
});
