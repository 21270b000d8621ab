import { type EventLog, FetchImageError, scopeStreamPrefix } from "@fetch-image/core";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { expect, test } from "vitest";
import { factTypesOf, scene, typePlans } from "../support/engine.ts";

const repository = "registry.example.com/acme/git-resource";
const plans = { ...typePlans("2", { repository, tag: "v1.2" }), privileged: false };

for (const [what, methods] of [
  ["read", ["read"]],
  ["claimed", ["append"]],
] as const) {
  test(`a fetch whose scope cannot be ${what} while the store is away waits for it, beyond its own attempts`, async () => {
    const log = createMemoryEventLog();
    let isAway = true;
    const away = <T>(method: "read" | "append", stream: string, work: () => Promise<T>): Promise<T> =>
      isAway && stream.startsWith(scopeStreamPrefix) && (methods as readonly string[]).includes(method)
        ? Promise.reject(new FetchImageError("FI_STORE_UNAVAILABLE"))
        : work();
    const eventLog: EventLog = {
      append: (stream, expected, facts) => away("append", stream, () => log.append(stream, expected, facts)),
      read: (stream, options) => away("read", stream, () => log.read(stream, options)),
      readAll: (options) => log.readAll(options),
      subscribe: (options) => log.subscribe(options),
      close: () => log.close(),
    };
    const settings = { attempts: 2, backoffBaseMs: 10, backoffCapMs: 10, storePatienceMs: 30_000 };
    const { engine, registry, clock } = scene({ eventLog, soleNode: false, settings });
    const digest = registry.push(`${repository}:v1.2`, "one");
    const fetching = (await engine.openBuild({ id: "1" })).fetchImage(plans);
    fetching.catch(() => {});
    await clock.advance(20_000);
    isAway = false;
    await clock.advance(3_000);
    expect((await fetching).imageURL).toContain(digest);
    expect(await factTypesOf(eventLog, "1")).not.toContain("ImageCheckFailed");
  });
}

test("who comes by hand long after the answer to a question whose claim the store does not take asks anew", async () => {
  const log = createMemoryEventLog();
  let isAway = true;
  const eventLog: EventLog = {
    append: async (stream, expected, facts) => {
      if (isAway && stream.startsWith(scopeStreamPrefix)) throw new FetchImageError("FI_STORE_UNAVAILABLE");
      return await log.append(stream, expected, facts);
    },
    read: (stream, options) => log.read(stream, options),
    readAll: (options) => log.readAll(options),
    subscribe: (options) => log.subscribe(options),
    close: () => log.close(),
  };
  const { engine, registry, clock } = scene({ eventLog, settings: { claimMs: 10_000, storePatienceMs: 60_000 } });
  const before = registry.push(`${repository}:v1.2`, "one");
  const first = (await engine.openBuild({ id: "1" })).fetchImage(plans);
  await clock.advance(11_000);
  const digest = registry.push(`${repository}:v1.2`, "two");
  const byHand = { ...typePlans("2", { repository, tag: "v1.2" }, { skip: true }), privileged: false };
  const fetch = (await engine.openBuild({ id: "2" })).fetchImage(byHand);
  isAway = false;
  await clock.advance(5000);
  expect((await fetch).imageURL).toContain(digest);
  expect((await first).imageURL).toContain(before);
  expect(registry.questions).toHaveLength(2);
});

test("a claim that the store took, and did not say so, keeps nobody of its one process from asking, and lets no two ask", async () => {
  const log = createMemoryEventLog();
  let isAnswerLost = true;
  const eventLog: EventLog = {
    append: async (stream, expected, facts) => {
      const appended = await log.append(stream, expected, facts);
      if (isAnswerLost && stream.startsWith(scopeStreamPrefix)) throw new FetchImageError("FI_APPEND_OUTCOME_UNKNOWN");
      return appended;
    },
    read: (stream, options) => log.read(stream, options),
    readAll: (options) => log.readAll(options),
    subscribe: (options) => log.subscribe(options),
    close: () => log.close(),
  };
  const settings = { backoffBaseMs: 2000, storePatienceMs: 500 };
  const { engine, registry, clock } = scene({ eventLog, soleNode: true, settings });
  const digest = registry.push(`${repository}:v1.2`, "one");
  registry.hold();
  const first = (await engine.openBuild({ id: "1" })).fetchImage(plans);
  first.catch(() => {});
  await clock.advance(1000);
  isAnswerLost = false;
  const second = (await engine.openBuild({ id: "2" })).fetchImage(plans);
  // The first one comes back while the second asks.
  await clock.advance(5000);
  expect(registry.questions).toHaveLength(2);
  registry.release();
  await clock.advance(1000);
  for (const { imageURL } of await Promise.all([first, second])) expect(imageURL).toContain(digest);
  expect(registry.questions).toHaveLength(2);
});
