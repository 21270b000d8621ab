// Builds followed while they run: by many at once, by slow readers, and from any place in any build.
import { advanceStream, type EventLog, noLog, renderConcourseLog, type SchedulerEvent } from "@fetch-image/core";
import { createLogSource } from "@fetch-image/inspector";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import * as fc from "fast-check";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { seedFromEnv } from "../properties/seed.ts";
import { anyScheduledBuild } from "../support/any-scheduled-build.ts";
import { follow, hasEnded } from "../support/event-stream-client.ts";
import { aRequest, digestA, inputs } from "../support/fetch-facts.ts";
import { serveReadApi, store } from "../support/read-api-server.ts";
import { BuildHistory } from "../support/stream-histories.ts";

test("all who follow a build share one subscription, and each has every byte as it comes", async () => {
  const subscriptions: unknown[] = [];
  const eventLog = counting(createMemoryEventLog(), subscriptions);
  await using server = await serveReadApi({ eventLog });
  const build = new BuildHistory().save({ event: "status", data: { status: "started" } }).request(aRequest());
  await store(eventLog, "123", build.facts);
  const followers = await Promise.all(
    Array.from({ length: 150 }, () => follow(`${server.origin}/api/v1/builds/123/events`)),
  );
  const soFar = renderConcourseLog(build.facts);
  await Promise.all(followers.map((one) => one.until((text) => text === soFar)));
  expect(server.api.open).toEqual({ streams: 150, builds: 1 });

  let stored = build.facts.length;
  build.take(inputs.checked({ tag: "v1", digest: digestA }));
  await store(eventLog, "123", build.facts.slice(stored));
  await Promise.all(followers.map((one) => one.until((text) => text === renderConcourseLog(build.facts))));
  stored = build.facts.length;
  build.save({ event: "status", data: { status: "succeeded" } });
  await store(eventLog, "123", build.facts.slice(stored));
  await Promise.all(followers.map((one) => one.until(hasEnded)));
  expect(new Set(followers.map((one) => one.text()))).toEqual(new Set([renderConcourseLog(build.facts)]));
  expect(subscriptions).toHaveLength(1);

  for (const one of followers) one.close();
  await expect.poll(() => server.api.open).toEqual({ streams: 0, builds: 0 });
});

test("who leaves takes nothing from the others, and the last one ends the subscription", async () => {
  const ended: unknown[] = [];
  const eventLog = counting(createMemoryEventLog(), [], ended);
  await using server = await serveReadApi({ eventLog, keepAliveMs: 5 });
  const build = new BuildHistory().save({ event: "status", data: { status: "started" } });
  await store(eventLog, "123", build.facts);
  const url = `${server.origin}/api/v1/builds/123/events`;
  const [one, two] = await Promise.all([follow(url), follow(url)]);
  await Promise.all([one, two].map((each) => each.until((text) => text !== "")));
  one.close();
  build.save({ event: "log", data: { origin: { id: "1" }, payload: "still here\n" } });
  await store(eventLog, "123", build.facts.slice(2));
  expect(await two.until((text) => text.includes("still here"))).toBe(renderConcourseLog(build.facts));
  two.close();
  await expect.poll(() => ended).toHaveLength(1);
});

test("a reader that does not read holds no more of a long log in memory than a few pages", async () => {
  let read = 0;
  const plain = createMemoryEventLog();
  const eventLog: EventLog = {
    ...counting(plain, []),
    async read(stream, options) {
      const facts = await plain.read(stream, options);
      read += facts.length;
      return facts;
    },
  };
  const build = new BuildHistory();
  const line = "x".repeat(16 * 1024);
  for (let at = 0; at < 1800; at++) build.save({ event: "log", data: { origin: { id: "1" }, payload: line } });
  await store(eventLog, "123", build.facts);
  await using server = await serveReadApi({ eventLog });
  const socket = connect(Number(new URL(server.origin).port), "127.0.0.1");
  socket.pause();
  socket.write("GET /api/v1/builds/123/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  // As much as the system's own buffers take goes out at once: 29 MB do not.
  await expect.poll(() => server.api.open.streams).toBe(1);
  let [before, after] = [-1, 0];
  while (before !== after) {
    before = read;
    await new Promise((resolve) => setTimeout(resolve, 200));
    after = read;
  }
  expect(read).toBeLessThan(1400);
  let received = 0;
  socket.on("data", (part) => (received += part.length));
  socket.resume();
  await expect.poll(() => received > 1800 * line.length, { timeout: 20_000 }).toBe(true);
  socket.destroy();
});

test("any build, followed from any event on while it is written, gives the rest of the bytes that are rebuilt later", async () => {
  await fc.assert(
    fc.asyncProperty(anyScheduledBuild({ ends: true }), fc.nat(), fc.nat(), async ({ history }, stored, last) => {
      const eventLog = createMemoryEventLog();
      const { facts } = history;
      const first = 1 + (stored % (facts.length - 1));
      await store(eventLog, "123", facts.slice(0, first));
      await using server = await serveReadApi({ eventLog });
      const whole = renderConcourseLog(facts);
      const frames = whole.split(/(?<=\n\n)/);
      const lastId = last % (frames.length - 1);
      const url = `${server.origin}/api/v1/builds/123/events`;
      const [resumed, fromZero] = await Promise.all([follow(url, { "last-event-id": String(lastId) }), follow(url)]);
      for (let at = first; at < facts.length; at += 3) await store(eventLog, "123", facts.slice(at, at + 3));
      expect(await fromZero.until(hasEnded)).toBe(whole);
      expect(await resumed.until(hasEnded)).toBe(frames.slice(lastId + 1).join(""));
      resumed.close();
      fromZero.close();
    }),
    { seed: seedFromEnv(), numRuns: 25 },
  );
});

test("who fell behind what is kept of the newest reads the store, and misses nothing", async () => {
  const eventLog = createMemoryEventLog();
  const build = new BuildHistory();
  const line: SchedulerEvent = { event: "log", data: { origin: { id: "1" }, payload: "x".repeat(60_000) } };
  await store(eventLog, "123", build.save(line).facts);
  const source = createLogSource({ eventLog });
  const leaving = new AbortController();
  const follow = () => source.chunks("123", { follow: true, signal: leaving.signal });
  const [slow, fast] = [follow(), follow()];
  await Promise.all([slow.next(), fast.next()]);
  let received = 0;
  for (let at = 0; at < 40; at++) {
    const before = build.facts.length;
    build.save(line);
    await store(eventLog, "123", build.facts.slice(before));
    const next = await fast.next();
    received += next.done === true ? 0 : next.value.text.length;
  }
  expect(received).toBeGreaterThan(40 * 60_000);
  build.save({ event: "status", data: { status: "failed" } });
  await store(eventLog, "123", build.facts.slice(-1));
  let rest = "";
  for await (const { text } of slow) rest += text;
  let log = noLog;
  let expected = "";
  for (const [index, fact] of build.facts.entries()) {
    const next = advanceStream(log, fact);
    log = next.log;
    if (index > 1) expected += next.text;
  }
  expect(rest === expected).toBe(true);
  leaving.abort();
  source.close();
});

/** The log, its subscriptions noted as they begin and as they end. */
function counting(eventLog: EventLog, begun: unknown[], ended: unknown[] = []): EventLog {
  return {
    append: (stream, expected, facts) => eventLog.append(stream, expected, facts),
    read: (stream, options) => eventLog.read(stream, options),
    readAll: (options) => eventLog.readAll(options),
    close: () => eventLog.close(),
    async *subscribe(options) {
      begun.push(options);
      yield* eventLog.subscribe(options);
      ended.push(options);
    },
  };
}
