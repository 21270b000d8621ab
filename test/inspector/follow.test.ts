// Builds followed while they run: by many at once, by slow readers, and from any place in any build.
import { advanceStream, type EventLog, noLog, renderConcourseLog, type SchedulerEvent } from "@fetch-image/core";
import { createLogSource } from "@fetch-image/inspector";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import * as fc from "fast-check";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { seedFromEnv } from "../properties/seed.ts";
import { anyScheduledBuild } from "../support/any-scheduled-build.ts";
import { ask, follow, hasEnded } from "../support/event-stream-client.ts";
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
  const reads = { facts: 0 };
  const eventLog = countingReads(createMemoryEventLog(), reads);
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
    before = reads.facts;
    await new Promise((resolve) => setTimeout(resolve, 200));
    after = reads.facts;
  }
  expect(reads.facts).toBeLessThan(1400);
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

test("who resumes a long log that was read before has only its end read again, byte for byte, from any event on", async () => {
  const build = longBuild(4000);
  const reads = { facts: 0 };
  const eventLog = countingReads(createMemoryEventLog(), reads);
  await store(eventLog, "123", build.facts);
  await using server = await serveReadApi({ eventLog });
  const url = `${server.origin}/api/v1/builds/123/events`;
  const whole = await wholeOf(url);
  expect(whole === renderConcourseLog(build.facts)).toBe(true);
  const frames = whole.split(/(?<=\n\n)/);

  const places = fc.sample(fc.nat({ max: frames.length - 2 }), { seed: seedFromEnv(), numRuns: 20 });
  const edges = [999, 1000, 1001, 3999, frames.length - 3, frames.length - 2];
  for (const lastId of [...places, ...edges]) {
    reads.facts = 0;
    const rest = await wholeOf(url, { "last-event-id": String(lastId) });
    expect(rest === frames.slice(lastId + 1).join(""), `behind event ${lastId}`).toBe(true);
    // A checkpoint's distance and a page before the event.
    expect(reads.facts).toBeLessThan(frames.length - lastId + 1500);
  }
});

test("a build that was removed and made anew is resumed in its new log, and one that was only removed is unknown", async () => {
  const [old, anew] = [longBuild(3000), longBuild(2000)];
  let current = createMemoryEventLog();
  await store(current, "123", old.facts);
  await using server = await serveReadApi({ eventLog: handingOn(() => current) });
  const url = `${server.origin}/api/v1/builds/123/events`;
  await wholeOf(url);
  current = createMemoryEventLog();
  expect((await ask(url, { headers: { "last-event-id": "2500" } })).status).toBe(404);
  await store(current, "99", new BuildHistory("99").facts);
  await store(current, "123", anew.facts);
  const frames = renderConcourseLog(anew.facts).split(/(?<=\n\n)/);
  expect((await wholeOf(url, { "last-event-id": "1900" })) === frames.slice(1901).join("")).toBe(true);
  expect((await wholeOf(url)) === frames.join("")).toBe(true);
});

test("all who come back at once, after a restart say, have the log read and rendered once", async () => {
  const build = longBuild(4000);
  const reads = { facts: 0 };
  const eventLog = countingReads(createMemoryEventLog(), reads);
  await store(eventLog, "123", build.facts);
  const source = createLogSource({ eventLog });
  const { signal } = new AbortController();
  const expected = renderConcourseLog(build.facts);
  const readers = Array.from({ length: 100 }, async () => {
    let text = "";
    for await (const chunk of source.chunks("123", { follow: true, signal })) text += chunk.text;
    return text === expected;
  });
  expect(new Set(await Promise.all(readers))).toEqual(new Set([true]));
  // Not once for each of the hundred.
  expect(reads.facts).toBeLessThan(2 * build.facts.length);
  source.close();
});

test("what stands before a fact that cannot be rendered is sent, and the connection then breaks", async () => {
  const build = new BuildHistory();
  const line = "x".repeat(70_000);
  for (let at = 0; at < 3; at++) build.save({ event: "log", data: { origin: { id: "1" }, payload: line } });
  const before = renderConcourseLog(build.facts);
  const unreadable = { buildId: "123", key: "k", event: "log", data: { origin: { id: "1" }, payload: 7 } };
  build.append({ type: "BuildEventSaved", data: unreadable }, "event\nk");
  const eventLog = createMemoryEventLog();
  await store(eventLog, "123", build.facts);
  await using server = await serveReadApi({ eventLog });
  const follower = await follow(`${server.origin}/api/v1/builds/123/events`);
  const closed = new Promise((resolve) => follower.response.once("close", resolve));
  expect(await follower.until((text) => text.length >= before.length)).toBe(before);
  await closed;
  expect(follower.response.complete).toBe(false);
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

/** A build of so many lines and more, with an image now and then. */
function longBuild(lines: number): BuildHistory {
  const build = new BuildHistory().save({ event: "status", data: { status: "started" } });
  for (let at = 0; at < lines; at++) {
    build.save({ event: "log", data: { origin: { id: "1" }, payload: `line ${at} of ${lines} \u{1f600} <&>\n` } });
    if (at % 700 !== 0) continue;
    const fetchId = `${at}/image-get`;
    build.request(aRequest({ fetchId, planId: String(at) }));
    build.offer(inputs.checked({ tag: "v1", digest: digestA }), fetchId);
  }
  return build.save({ event: "status", data: { status: "succeeded" } });
}

async function wholeOf(url: string, headers: { readonly [name: string]: string } = {}): Promise<string> {
  const follower = await follow(url, headers);
  const text = await follower.until(hasEnded);
  follower.close();
  return text;
}

/** The log that is current, whichever that is at each call. */
function handingOn(current: () => EventLog): EventLog {
  return {
    append: (stream, expected, facts) => current().append(stream, expected, facts),
    read: (stream, options) => current().read(stream, options),
    readAll: (options) => current().readAll(options),
    subscribe: (options) => current().subscribe(options),
    close: () => current().close(),
  };
}

/** The log, with a count of the facts that were read of it. */
function countingReads(eventLog: EventLog, reads: { facts: number }): EventLog {
  return {
    ...counting(eventLog, []),
    async read(stream, options) {
      const facts = await eventLog.read(stream, options);
      reads.facts += facts.length;
      return facts;
    },
  };
}

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
