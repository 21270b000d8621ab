import type { EventLog } from "@fetch-image/core";
import { FetchImageError } from "@fetch-image/core";
import { createProjector } from "@fetch-image/engine";
import { createMemoryEventLog, createMemoryReadModel } from "@fetch-image/store/memory";
import { describe, expect, test } from "vitest";
import { scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/git-resource";
const plan = (step: string) => ({ ...typePlans(step, { repository, tag: "v1.2" }), privileged: false });

/** A log in memory that a test can take away: it refuses, or says nothing before it is there again. */
function fragile(): { readonly eventLog: EventLog; be: (state: "there" | "gone" | "silent") => void } {
  const log = createMemoryEventLog();
  let state = "there";
  let onChange: () => void = () => {};
  let changed = Promise.resolve();
  const answer = async <T>(ask: () => Promise<T>): Promise<T> => {
    if (state === "silent") await changed;
    if (state === "gone") throw new FetchImageError("FI_STORE_UNAVAILABLE", { message: "no database at db.test" });
    return await ask();
  };
  const eventLog: EventLog = {
    append: (...args) => answer(() => log.append(...args)),
    read: (...args) => answer(() => log.read(...args)),
    readAll: (...args) => answer(() => log.readAll(...args)),
    subscribe: (options) => log.subscribe(options),
    close: () => log.close(),
  };
  const be = (next: string) => {
    state = next;
    onChange();
    changed = new Promise((resolve) => (onChange = resolve));
  };
  return { eventLog, be };
}

describe("an engine's health", () => {
  test("tells of fetches in flight and waiting, how old the oldest is, and when no more are taken", async () => {
    const { engine, registry, clock } = scene({ settings: { maxFetches: 1, maxWaitingFetches: 1 } });
    expect(await engine.health()).toEqual({
      live: true,
      ready: true,
      reasons: [],
      state: "open",
      store: { answers: true, ms: 0 },
      fetches: { inFlight: 0, waiting: 0, refused: 0, maxFetches: 1, maxWaitingFetches: 1 },
      builds: { open: 0, factsWaiting: 0 },
    });
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    const fetches = ["s", "t"].map((step) => build.fetchImage(plan(step)));
    await clock.advance(5000);
    await build.fetchImage(plan("u")).catch(() => {});
    expect(await engine.health()).toMatchObject({
      live: true,
      ready: false,
      reasons: ["1 fetches are in flight and 1 wait: no more are taken"],
      fetches: { inFlight: 1, waiting: 1, refused: 1, oldestAgeMs: 5000 },
      builds: { open: 1 },
    });
    registry.release();
    await Promise.all(fetches);
    expect(await engine.health()).toMatchObject({ ready: true, fetches: { inFlight: 0, waiting: 0 } });
    await build.close();
    expect(await engine.health()).toMatchObject({ builds: { open: 0 } });
  });

  test("is not ready while the store is away, be it that it says so or nothing at all; that is no reason to be restarted", async () => {
    const store = fragile();
    const { engine, registry, clock } = scene({ eventLog: store.eventLog });
    registry.push(`${repository}:v1.2`, "one");
    const build = await engine.openBuild({ id: "1" });
    await build.fetchImage(plan("r"));
    store.be("gone");
    const fetch = build.fetchImage(plan("s"));
    await clock.settle();
    const more = ["t", "u"].map((step) => build.fetchImage(plan(step)));
    await clock.settle();
    expect(await engine.health()).toMatchObject({
      live: true,
      ready: false,
      reasons: ["the event store does not answer: no database at db.test"],
      store: { answers: false, code: "FI_STORE_UNAVAILABLE" },
      builds: { open: 1, factsWaiting: 8 },
    });
    store.be("silent");
    const asked = engine.health({ deadlineMs: 500 });
    await clock.advance(500);
    expect((await asked).reasons).toEqual([
      "the event store does not answer: the event store gave no answer within 500 ms",
    ]);
    store.be("there");
    await clock.advance(5000);
    await Promise.all([fetch, ...more]);
    expect(await engine.health()).toMatchObject({ ready: true, reasons: [] });
  });

  test("says that the engine is closing, and that it is closed", async () => {
    const { engine, registry, clock } = scene();
    registry.push(`${repository}:v1.2`, "one");
    registry.hold();
    const build = await engine.openBuild({ id: "1" });
    build.fetchImage(plan("s")).catch(() => {});
    await clock.settle();
    const closing = engine.close({ deadlineMs: 1000 });
    const draining = { live: true, ready: false, state: "closing", reasons: ["the engine is closing"] };
    expect(await engine.health()).toMatchObject({ ...draining, fetches: { inFlight: 1 } });
    registry.release();
    await closing;
    expect(await engine.health()).toMatchObject({ live: false, ready: false, state: "closed" });
  });
});

describe("the read model's lag", () => {
  test("is the number of facts behind the checkpoint and the age of the oldest, counted up to a bound", async () => {
    const { engine, eventLog, registry, clock } = scene();
    registry.push(`${repository}:v1.2`, "one");
    const readModel = createMemoryReadModel();
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const projector = createProjector({ eventLog, readModel, clock, logger });
    expect(await projector.lag()).toEqual({ facts: 0, more: false });
    await (await engine.openBuild({ id: "1" })).fetchImage(plan("s"));
    await projector.catchUp();
    const { facts, more, oldestAgeMs, checkpoint } = await projector.lag();
    expect({ facts, more, oldestAgeMs }).toEqual({ facts: 0, more: false, oldestAgeMs: undefined });
    expect(checkpoint).toBe(await readModel.checkpoint());

    await clock.advance(90_000);
    await (await engine.openBuild({ id: "2" })).fetchImage(plan("s"));
    await clock.advance(30_000);
    await (await engine.openBuild({ id: "3" })).fetchImage(plan("s"));
    const behind = await eventLog.readAll({ ...(checkpoint === undefined ? {} : { after: checkpoint }), limit: 100 });
    expect(await projector.lag()).toMatchObject({ facts: behind.facts.length, more: false, oldestAgeMs: 30_000 });
    expect(await projector.lag({ countUpTo: 3 })).toMatchObject({ facts: 3, more: true, oldestAgeMs: 30_000 });
    // However many ask at the same time, each gets what it asked for, and one works for all of them.
    await Promise.all(Array.from({ length: 50 }, () => projector.catchUp()));
    expect(await projector.lag()).toMatchObject({ facts: 0, more: false });
  });

  test("is part of the health of an engine that projects", async () => {
    const { engine, registry, clock } = scene({ readModel: createMemoryReadModel() });
    registry.push(`${repository}:v1.2`, "one");
    await (await engine.openBuild({ id: "1" })).fetchImage(plan("s"));
    await engine.project();
    await clock.settle();
    expect(await engine.health()).toMatchObject({ ready: true, projection: { facts: 0, more: false } });
    await engine.close();
  });
});
