// Fetches as they change, for many viewers and for long: one subscription, bounded memory, nothing lost.
import {
  type EventLog,
  FetchImageError,
  isFinished,
  type RecordedFact,
  replayBuild,
  stateName,
  type SubscriptionMessage,
} from "@fetch-image/core";
import type { FetchSummary } from "@fetch-image/inspector";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import * as fc from "fast-check";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { seedFromEnv } from "../properties/seed.ts";
import { anyScheduledBuild } from "../support/any-scheduled-build.ts";
import { ask } from "../support/event-stream-client.ts";
import { aRequest, digestA, inputs } from "../support/fetch-facts.ts";
import { followEvents, frames, serveInspector } from "../support/inspector-server.ts";
import { store } from "../support/read-api-server.ts";
import { BuildHistory } from "../support/stream-histories.ts";

const path = "/api/v1/fetch-image/fetches";

/** The log, with what is asked of it told. */
function told(inner: EventLog, on: { subscribed?: () => void; ended?: () => void; read?: (stream: string) => void }) {
  const log: EventLog = {
    append: (...asked) => inner.append(...asked),
    read: (...asked) => {
      on.read?.(asked[0]);
      return inner.read(...asked);
    },
    readAll: (asked) => inner.readAll(asked),
    async *subscribe(asked) {
      on.subscribed?.();
      try {
        yield* inner.subscribe(asked);
      } finally {
        on.ended?.();
      }
    },
    close: () => inner.close(),
  };
  return log;
}

test("all viewers share one subscription, which begins with the first and ends with the last", async () => {
  let [subscribed, ended] = [0, 0];
  const eventLog = told(createMemoryEventLog(), { subscribed: () => subscribed++, ended: () => ended++ });
  await using server = await serveInspector({ eventLog, keepAliveMs: 5 });
  expect(subscribed).toBe(0);
  const viewers = await Promise.all(Array.from({ length: 100 }, () => followEvents(`${server.origin}${path}/live`)));
  await Promise.all(viewers.map((viewer) => viewer.until("caught-up", 1)));
  expect(server.inspector.open).toMatchObject({ streams: 100, viewers: 100 });
  const build = new BuildHistory().request(aRequest()).take(inputs.checked({ tag: "v1", digest: digestA }));
  await store(eventLog, "123", build.facts);
  const seen = await Promise.all(viewers.map((viewer) => viewer.until("fetch", 1)));
  expect(new Set(seen.map((summaries) => JSON.stringify(summaries.at(-1)))).size).toBe(1);
  expect([subscribed, ended]).toEqual([1, 0]);

  for (const viewer of viewers) viewer.follower.close();
  await expect.poll(() => [server.inspector.open.viewers, ended]).toEqual([0, 1]);
  const again = await followEvents(`${server.origin}${path}/live`);
  await again.until("caught-up", 1);
  expect(subscribed).toBe(2);
  again.follower.close();
});

test("of two thousand fetches that change all the time, a viewer that does not read is told the last state of each", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  const socket = connect(Number(new URL(server.origin).port), "127.0.0.1");
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  socket.pause();
  socket.write(`GET ${path}/live HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await expect.poll(() => server.inspector.open.viewers).toBe(1);
  const reading = await followEvents(`${server.origin}${path}/live`);
  await reading.until("caught-up", 1);

  const builds = Array.from({ length: 40 }, (_, index) => new BuildHistory(`${index}`));
  const fetchIds = Array.from({ length: 50 }, (_, index) => `f${index}/image-get`);
  const send = async (change: (build: BuildHistory, fetchId: string) => unknown) => {
    await Promise.all(
      builds.map(async (build) => {
        const stored = (await eventLog.read(`build-${build.buildId}`)).length;
        for (const fetchId of fetchIds) change(build, fetchId);
        await store(eventLog, build.buildId, build.facts.slice(stored));
      }),
    );
  };
  await send((build, fetchId) => build.request(aRequest({ fetchId })));
  await send((build, fetchId) => build.wait(1).take(inputs.checkFailed(), fetchId));
  await send((build, fetchId) => build.wait(1).take(inputs.timer("backoff"), fetchId));
  await send((build, fetchId) => build.wait(1).take(inputs.checked({ tag: "v1", digest: digestA }), fetchId));
  const lasts = (text: string): ReadonlyMap<string, FetchSummary> => {
    const summaries = frames(text).flatMap(({ event, data }): FetchSummary[] =>
      event === "fetch" ? [JSON.parse(data)] : [],
    );
    return new Map(summaries.map((summary) => [`${summary.build} ${summary.fetch}`, summary]));
  };
  const complete = (text: string) =>
    lasts(text.slice(0, text.lastIndexOf("\n\n") + 2)).size === 2000 &&
    [...lasts(text.slice(0, text.lastIndexOf("\n\n") + 2)).values()].every((one) => one.endedAt !== undefined);
  let text = "";
  socket.setEncoding("utf8").on("data", (part: string) => (text += part));
  // Chunked transfer puts a line before each write, and none inside a frame.
  const unchunked = () => text.replaceAll(/\r\n[0-9a-f]+\r\n/g, "");
  socket.resume();
  await expect.poll(() => complete(unchunked()), { timeout: 20_000, interval: 200 }).toBe(true);
  await expect.poll(() => complete(reading.follower.text()), { timeout: 20_000, interval: 200 }).toBe(true);
  // Four changes of each were made.
  expect(frames(unchunked()).filter(({ event }) => event === "fetch").length).toBeLessThan(8000);
  expect(server.inspector.open.inMemory).toBe(2040);
  socket.destroy();
});

test("who was away for too long is told to load the list anew, and goes on from there", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  const first = new BuildHistory("first").request(aRequest());
  await store(eventLog, "first", first.facts);
  const requests = Array.from({ length: 60 }, (_, index) => aRequest({ fetchId: `f${index}/image-get` }));
  for (let id = 0; id < 60; id++) {
    const build = new BuildHistory(`${id}`);
    for (const request of requests) build.request(request);
    await store(eventLog, `${id}`, build.facts);
  }
  const events = await followEvents(`${server.origin}${path}/live?after=1`);
  await events.until("caught-up", 1);
  expect(events.all().map(({ event }) => event)).toEqual(["reset", "caught-up"]);
  const stored = first.facts.length;
  first.take(inputs.checked({ tag: "v1", digest: digestA }));
  await store(eventLog, "first", first.facts.slice(stored));
  await expect
    .poll(() =>
      events
        .all()
        .filter(({ event }) => event === "fetch")
        .map(({ data }) => JSON.parse(data)),
    )
    .toContainEqual(expect.objectContaining({ build: "first", state: "short-circuited" }));
});

test("a day of fifty thousand builds leaves as much in memory as an hour of it, and none is read from the store", async () => {
  const builds = 50_000;
  const template = new BuildHistory().request(aRequest()).facts.slice(0, 2);
  let reads = 0;
  let given = 0;
  let most = 0;
  const inner = createMemoryEventLog();
  const eventLog: EventLog = {
    ...told(inner, { read: () => reads++ }),
    async *subscribe({ signal }) {
      for (let id = 0; id < builds && !signal.aborted; id++) {
        for (const fact of template) {
          const recorded = { ...fact, stream: `build-${id}`, position: String(++given) } as unknown as RecordedFact;
          yield { kind: "fact", fact: recorded } satisfies SubscriptionMessage;
        }
        most = Math.max(most, server.inspector.open.inMemory);
        if (id % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
  await using server = await serveInspector({ eventLog, mostInMemory: 3000 });
  const events = await followEvents(`${server.origin}${path}/live`);
  await expect.poll(() => given, { timeout: 30_000, interval: 100 }).toBe(builds * template.length);
  expect(most).toBe(3000);
  expect(reads).toBe(0);
  events.follower.close();
});

test("a store that goes away for a while is followed again, and nothing of the meantime is missed", async () => {
  const inner = createMemoryEventLog();
  let fails = true;
  const eventLog: EventLog = {
    ...told(inner, {}),
    async *subscribe(asked) {
      for await (const message of inner.subscribe(asked)) {
        yield message;
        if (fails && message.kind === "fact") {
          fails = false;
          throw new FetchImageError("FI_STORE_UNAVAILABLE");
        }
      }
    },
  };
  await using server = await serveInspector({ eventLog });
  const events = await followEvents(`${server.origin}${path}/live`);
  await events.until("caught-up", 1);
  const build = new BuildHistory().request(aRequest()).take(inputs.checked({ tag: "v1", digest: digestA }));
  await store(eventLog, "123", build.facts);
  await expect
    .poll(
      () =>
        events
          .all()
          .filter(({ event }) => event === "fetch")
          .map(({ data }) => JSON.parse(data))
          .at(-1),
      {
        timeout: 5000,
      },
    )
    .toMatchObject({ state: "short-circuited" });
  expect(fails).toBe(false);
});

test("whatever happens to a build, at each moment the list says of its fetches what the fold that decides says", async () => {
  const property = fc.asyncProperty(anyScheduledBuild({ ends: false }), fc.nat(), async ({ history }, cut) => {
    // Appends are whole, so a cut is where nothing is awaited.
    const cuts = history.facts.flatMap((_, index) =>
      replayBuild(history.facts.slice(0, index + 1)).awaited.length === 0 ? [index + 1] : [],
    );
    const facts = history.facts.slice(0, cuts[cut % cuts.length]);
    const eventLog = createMemoryEventLog();
    await store(eventLog, history.buildId, facts);
    await using server = await serveInspector({ eventLog });
    const { fetches }: { fetches: readonly FetchSummary[] } = JSON.parse((await ask(`${server.origin}${path}`)).text);
    const decided = [...replayBuild(facts).fetches].map(([fetch, state]) => ({
      fetch,
      state: stateName(state),
      ended: isFinished(state),
      failure: state.failure?.code ?? (stateName(state) === "aborted" ? "FI_ABORTED" : undefined),
      // One that is empty is none.
      digest: state.resolved?.version["digest"] || undefined,
    }));
    const listed = fetches.map(({ fetch, state, endedAt, failure, digest }) => ({
      fetch,
      state,
      ended: endedAt !== undefined,
      failure: failure?.code,
      digest,
    }));
    const byFetch = (a: { fetch: string }, b: { fetch: string }) => (a.fetch < b.fetch ? -1 : 1);
    expect(listed.toSorted(byFetch)).toEqual(decided.toSorted(byFetch));
  });
  await fc.assert(property, { seed: seedFromEnv(), numRuns: 40 });
});
