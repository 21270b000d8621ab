// Where the scope met last was new to the store, the next one is taken for new too: claimed, and not read before.
import { type EventLog, FetchImageError, registryStreamPrefix } from "@fetch-image/core";
import { createFetchImageEngine, type EngineOptions } from "@fetch-image/engine";
import { describe, expect, test } from "vitest";
import { factTypesOf, type Scene, scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/app";

/** An event log that puts down which streams are read, and which appended to. */
function watched(log: EventLog) {
  const read: string[] = [];
  const appended: string[] = [];
  const eventLog: EventLog = {
    ...log,
    readAll: log.readAll.bind(log),
    read: (...[stream, options]: Parameters<EventLog["read"]>) => {
      read.push(stream);
      return log.read(stream, options);
    },
    append: (...[stream, expected, facts]: Parameters<EventLog["append"]>) => {
      appended.push(stream);
      return log.append(stream, expected, facts);
    },
  };
  const scopesOf = (streams: readonly string[]) => streams.filter((stream) => stream.startsWith("imageScope-"));
  return {
    eventLog,
    scopesRead: () => scopesOf(read),
    registriesRead: () => read.filter((stream) => stream.startsWith(registryStreamPrefix)),
    claimed: () => scopesOf(appended),
    forget: () => {
      read.length = 0;
      appended.length = 0;
    },
  };
}

/** An engine over the scene's log that has met one scope, which nobody knew. */
async function engineThatMetOne({ eventLog, registry, clock }: Scene, options: Partial<EngineOptions> = {}) {
  const log = watched(eventLog);
  const engine = createFetchImageEngine({
    registry,
    clock,
    nativeImageFetch: true,
    node: "b",
    ...options,
    eventLog: log.eventLog,
  });
  registry.push(`${repository}:first`, "first");
  await fetchTag(engine, "first", "b-first");
  log.forget();
  return { engine, ...log };
}

async function fetchTag(engine: Scene["engine"], tag: string, buildId: string) {
  const build = await engine.openBuild({ id: buildId });
  return await build.fetchImage({ ...typePlans("2", { repository, tag }), privileged: false });
}

describe.each([{ soleNode: false }, { soleNode: true }])("with soleNode $soleNode", ({ soleNode }) => {
  test("a further new scope is not read, and is asked for as any other", async () => {
    const ground = scene();
    const { engine, scopesRead, claimed } = await engineThatMetOne(ground, { soleNode });
    const digest = ground.registry.push(`${repository}:v1`, "one");
    const { imageURL } = await fetchTag(engine, "v1", "2");
    expect(imageURL).toContain(digest);
    expect(scopesRead()).toEqual([]);
    // The claim, and the answer.
    expect(claimed()).toHaveLength(2);
    expect(await factTypesOf(ground.eventLog, "2")).toEqual([
      "BuildOpened",
      "FetchRequested",
      "ImageChecked",
      "ImageVersionResolved",
      "ImageShortCircuited",
    ]);
    await engine.close();
  });

  test("one that is known after all is answered from its history: its registry is not asked", async () => {
    const ground = scene();
    const digest = ground.registry.push(`${repository}:v1`, "one");
    await fetchTag(ground.engine, "v1", "1");
    const { engine, scopesRead } = await engineThatMetOne(ground, { soleNode });
    const asked = ground.registry.questions.length;
    const { imageURL } = await fetchTag(engine, "v1", "2");
    expect(imageURL).toContain(digest);
    expect(ground.registry.questions).toHaveLength(asked);
    expect(scopesRead()).toHaveLength(1);
    await engine.close();
  });

  test("after one that was known the next is read before anything is stored, and a known one costs one append", async () => {
    const ground = scene();
    for (const tag of ["v1", "v2"]) {
      ground.registry.push(`${repository}:${tag}`, tag);
      await fetchTag(ground.engine, tag, `a-${tag}`);
    }
    const { engine, scopesRead, claimed, forget } = await engineThatMetOne(ground, { soleNode });
    await fetchTag(engine, "v1", "1");
    forget();
    await fetchTag(engine, "v2", "2");
    expect(scopesRead()).toHaveLength(1);
    expect(claimed()).toEqual([]);
    await engine.close();
  });
});

test("what other nodes met at a registry is read once for all who claim in one turn", async () => {
  const ground = scene();
  const { engine, registriesRead, claimed } = await engineThatMetOne(ground);
  const tags = ["v1", "v2", "v3", "v4", "v5"];
  for (const tag of tags) ground.registry.push(`${repository}:${tag}`, tag);
  const fetches = await Promise.all(
    tags.map(async (tag) => {
      const build = await engine.openBuild({ id: tag, isNew: true });
      return () => build.fetchImage({ ...typePlans("2", { repository, tag }), privileged: false });
    }),
  );
  const before = registriesRead().length;
  await Promise.all(fetches.map((fetch) => fetch()));
  expect(new Set(claimed()).size).toBe(tags.length);
  expect(registriesRead().length - before).toBe(1);
  await engine.close();
});

test("where another node asks for the scope, its answer is waited for", async () => {
  const ground = scene();
  const { engine } = await engineThatMetOne(ground);
  const digest = ground.registry.push(`${repository}:v1`, "one");
  ground.registry.hold();
  const asked = ground.registry.questions.length;
  const first = fetchTag(ground.engine, "v1", "1");
  await ground.clock.settle();
  const second = fetchTag(engine, "v1", "2");
  await ground.clock.settle();
  ground.registry.release();
  await ground.clock.advance(1000);
  expect((await Promise.all([first, second])).map(({ imageURL }) => imageURL?.includes(digest))).toEqual([true, true]);
  expect(ground.registry.questions).toHaveLength(asked + 1);
  expect(await factTypesOf(ground.eventLog, "2")).toContain("CheckJoined");
  await engine.close();
});

test("where the registry is to be spared, the scope is read first: its last good answer may do", async () => {
  const host = "registry.example.com";
  const ground = scene();
  const digest = ground.registry.push(`${repository}:v1`, "one");
  await fetchTag(ground.engine, "v1", "1");
  await ground.clock.advance(120_000);
  const { engine, claimed } = await engineThatMetOne(ground);
  const details = { host, status: 429, retryAfterMs: 600_000 };
  const busy = new FetchImageError("FI_RATE_LIMITED", { message: `${host} answered 429`, details, retryable: true });
  ground.registry.failNext(busy);
  ground.registry.push(`${repository}:other`, "other");
  const failing = fetchTag(engine, "other", "2");
  failing.catch(() => {});
  await ground.clock.settle();
  const asked = ground.registry.questions.length;
  const before = claimed().length;
  const { imageURL } = await fetchTag(engine, "v1", "3");
  expect(imageURL).toContain(digest);
  expect(ground.registry.questions).toHaveLength(asked);
  expect(claimed()).toHaveLength(before);
  await engine.close();
  await expect(failing).rejects.toBeInstanceOf(FetchImageError);
});

test("where a registry that failed may be tried again, who is answered by the history does not take the trying", async () => {
  const host = "registry.example.com";
  const ground = scene();
  const { registry, clock, eventLog } = ground;
  const digest = registry.push(`${repository}:v1`, "one");
  await fetchTag(ground.engine, "v1", "1");
  const { engine } = await engineThatMetOne(ground);
  const details = { host };
  registry.failNext(new FetchImageError("FI_REGISTRY_UNREACHABLE", { message: "gone", details, retryable: true }));
  const leaving = new AbortController();
  const build = await engine.openBuild({ id: "2" });
  const plans = { ...typePlans("2", { repository, tag: "new" }), privileged: false };
  const failing = build.fetchImage({ ...plans, signal: leaving.signal });
  failing.catch(() => {});
  await clock.settle();
  leaving.abort();
  await expect(failing).rejects.toMatchObject({ code: "FI_ABORTED" });
  // The pause is over, and nobody has tried yet.
  await clock.advance(5000);
  const asked = registry.questions.length;
  const { imageURL } = await fetchTag(engine, "v1", "3");
  expect(imageURL).toContain(digest);
  expect(registry.questions).toHaveLength(asked);
  const { facts } = await eventLog.readAll({ limit: 100, filter: { streamPrefixes: [registryStreamPrefix] } });
  expect(facts.map(({ type }) => type)).toEqual(["RegistryFailed"]);
  await engine.close();
});

test("a build that is closed while its scope is read stores nothing of the fetch, whenever the reading ends", async () => {
  const ground = scene();
  let goOn: () => void = () => {};
  const held = new Promise<void>((resolve) => (goOn = resolve));
  const { eventLog } = watched(ground.eventLog);
  const engine = createFetchImageEngine({
    ...ground,
    nativeImageFetch: true,
    eventLog: { ...eventLog, read: (...args) => held.then(() => eventLog.read(...args)) },
  });
  const build = await engine.openBuild({ id: "1", isNew: true });
  const image = build.fetchImage({ ...typePlans("2", { repository, tag: "v1" }), privileged: false });
  const ended = image.catch((error: unknown) => error);
  await build.close();
  expect(await ended).toMatchObject({ code: "FI_ENGINE_CLOSED" });
  goOn();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await factTypesOf(ground.eventLog, "1")).toEqual([]);
  await engine.close();
});

test("of more than five thousand scopes those read first are forgotten and read again, but none that is asked for", async () => {
  const ground = scene();
  const { registry, clock } = ground;
  let answer: () => void = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const check = registry.check.bind(registry);
  registry.check = async (source, options) => {
    const found = await check(source, options);
    if (source.tag === "slow") await answered;
    return found;
  };
  const { engine, scopesRead, forget } = await engineThatMetOne(ground);
  const tags = ["slow", "quick", ...Array.from({ length: 5200 }, (_, index) => `v${index}`)];
  for (const tag of tags) registry.push(`${repository}:${tag}`, tag);
  const slow = [fetchTag(engine, "slow", "slow 1")];
  await clock.settle();
  for (const tag of tags.slice(1)) await fetchTag(engine, tag, tag);
  const asked = registry.questions.length;
  forget();
  slow.push(fetchTag(engine, "slow", "slow 2"));
  await fetchTag(engine, "quick", "quick 2");
  await fetchTag(engine, "v5199", "v5199 2");
  await clock.settle();
  answer();
  const [first, second] = await Promise.all(slow);
  expect(first).toEqual(second);
  expect([registry.questions.length, scopesRead().length]).toEqual([asked, 1]);
  await engine.close();
});
