// Streams of facts as the page reads them, and as files.
import { replayBuild, decodeBuildFact, isBuildFact, type RecordedFact, stateName } from "@fetch-image/core";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { ask } from "../support/event-stream-client.ts";
import { aRequest, digestA, digestB, inputs } from "../support/fetch-facts.ts";
import { followEvents, serveInspector } from "../support/inspector-server.ts";
import { store } from "../support/read-api-server.ts";
import { BuildHistory, ScopeHistory } from "../support/stream-histories.ts";

const base = "/api/v1/fetch-image";
const ndjson = { headers: { accept: "application/x-ndjson" } };

/** What the other side of the wire makes of a line. */
function read(line: string): RecordedFact {
  const { revision, ...fact } = JSON.parse(line);
  return { ...fact, revision: BigInt(revision) };
}

test("a build's facts come as they are stored, and the page folds them as the engine does", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  const build = new BuildHistory().request(aRequest()).wait(10).take(inputs.checkFailed());
  await store(eventLog, "123", build.facts);
  const events = await followEvents(`${server.origin}${base}/builds/123/facts`);
  await events.until("caught-up", 1);
  const stored = build.facts.length;
  build
    .wait(2000)
    .take(inputs.timer("backoff"))
    .take(inputs.checked({ tag: "v1", digest: digestA }));
  await store(eventLog, "123", build.facts.slice(stored));
  await events.until("message", build.facts.length);

  const got = events.all().filter(({ event }) => event === "message");
  expect(got.map(({ id }) => id)).toEqual(build.facts.map(({ revision }) => String(revision)));
  const facts = got.map(({ data }) => decodeBuildFact(read(data)).fact).filter(isBuildFact);
  expect(facts).toEqual(await eventLog.read("build-123"));
  const [state] = replayBuild(facts).fetches.values();
  expect(state === undefined ? "" : stateName(state)).toBe("short-circuited");
  expect(events.follower.response.headers).toMatchObject({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });

  events.follower.close();
  await expect.poll(() => server.inspector.open.streams).toBe(0);
});

test("a stream goes on behind any fact, from its start to behind its end", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  const build = new BuildHistory().request(aRequest()).take(inputs.checked({ tag: "v1", digest: digestA }));
  await store(eventLog, "123", build.facts);
  for (const { revision } of build.facts) {
    const events = await followEvents(`${server.origin}${base}/builds/123/facts`, { "last-event-id": `${revision}` });
    await events.until("caught-up", 1);
    const ids = events.all().flatMap(({ event, id }) => (event === "message" ? [Number(id)] : []));
    const wanted = build.facts.map((fact) => Number(fact.revision)).slice(Number(revision) + 1);
    expect(ids).toEqual(wanted);
    events.follower.close();
  }
});

test("a file of facts ends where the stream ends, and its name is harmless", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  const build = new BuildHistory('a"/\u2028b').request(aRequest());
  for (let at = 0; at < 700; at++) build.save({ event: "log", data: { origin: { id: "1" }, payload: `line ${at}\n` } });
  await store(eventLog, build.buildId, build.facts);
  const answer = await ask(`${server.origin}${base}/builds/${encodeURIComponent(build.buildId)}/facts`, ndjson);
  expect(answer.status).toBe(200);
  expect(answer.headers).toMatchObject({
    "content-type": "application/x-ndjson",
    "content-disposition": 'attachment; filename="build-a___b.ndjson"',
  });
  const lines = answer.text.trimEnd().split("\n");
  expect(lines.map(read)).toEqual(await eventLog.read(`build-${build.buildId}`));
});

test("facts of a newer version, and of nobody's, are handed on as they stand; the list shows what the others say", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  const build = new BuildHistory().request(aRequest());
  await store(eventLog, "123", build.facts);
  const metadata = { schema: 9, $correlationId: "123", node: "b", time: "2027-01-01T00:00:00.000Z" };
  const broken = { ...metadata, schema: 1 };
  const [one, two] = ["11111111-1111-5111-8111-111111111111", "22222222-2222-5222-8222-222222222222"];
  await eventLog.append("build-123", BigInt(build.facts.length - 1), [
    { id: one, type: "ImageMeasured", data: { fetchId: "f1/image-get", bytes: 12 }, metadata },
    { id: two, type: "ImageChecked", data: { fetchId: "f1/image-get" }, metadata: broken },
  ]);
  const answer = await ask(`${server.origin}${base}/builds/123/facts`, ndjson);
  expect(answer.text.trimEnd().split("\n").map(read)).toEqual(await eventLog.read("build-123"));
  const events = await followEvents(`${server.origin}${base}/fetches/live?after=1`);
  expect(await events.until("fetch", 1)).toMatchObject([{ state: "checking" }]);
});

test("a scope's newest facts are given, as many as are wanted", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  const scope = new ScopeHistory("5c0be");
  const asker = { buildId: "123", fetchId: "f1/image-get" };
  for (let at = 0; at < 40; at++) {
    const version = { tag: "v1", digest: at < 20 ? digestA : digestB };
    const data = { version, changed: at % 20 === 0, via: "HEAD" as const, host: "registry.test", status: 200, asker };
    scope.wait(1000).append({ type: "VersionObserved", data });
  }
  await eventLog.append("imageScope-5c0be", "no-stream", scope.facts as never);
  const url = `${server.origin}${base}/scopes/5c0be/facts`;
  const revisions = async (query: string) =>
    (await ask(`${url}${query}`, ndjson)).text
      .trimEnd()
      .split("\n")
      .map((line) => Number(read(line).revision));
  expect(await revisions("")).toHaveLength(40);
  expect(await revisions("?limit=3")).toEqual([37, 38, 39]);
  const events = await followEvents(`${url}?limit=3`);
  await events.until("caught-up", 1);
  expect(events.all().map(({ id }) => id)).toEqual(["37", "38", "39", undefined]);
});

test.each<[what: string, path: string, status: number, says: string]>([
  ["a build that is not there", "/builds/99/facts", 404, "FI_BUILD_UNKNOWN"],
  ["a scope that is not there", "/scopes/99/facts", 404, "there is no scope 99"],
  ["a build that cannot be", "/builds/%00/facts", 404, "no such page"],
  ["a name that is no text", "/builds/%ff/facts", 404, "no such page"],
  ["a name without an end", `/builds/${"x".repeat(2000)}/facts`, 404, "no such page"],
  ["a way out of the stream's name", "/builds/..%2F..%2Fetc/facts", 404, "FI_BUILD_UNKNOWN"],
  ["a page of no facts", "/scopes/5c0be/facts?limit=0", 400, "limit"],
  ["a parameter that is none", "/builds/99/facts?form=x", 400, "form"],
  ["a part that is none", "/builds/99/facts/1", 404, "no such page"],
])("%s: says why, in JSON", async (_what, path, status, says) => {
  await using server = await serveInspector();
  const answer = await ask(`${server.origin}${base}${path}`);
  expect(answer.status).toBe(status);
  expect(answer.headers["content-type"]).toBe("application/json");
  expect(answer.text).toContain(says);
});

test("a reader that does not read leaves what it has not read in the store", async () => {
  let read = 0;
  const inner = createMemoryEventLog();
  const eventLog: typeof inner = {
    ...inner,
    append: (...asked) => inner.append(...asked),
    subscribe: (asked) => inner.subscribe(asked),
    async read(...asked) {
      const facts = await inner.read(...asked);
      read += facts.length;
      return facts;
    },
  };
  await using server = await serveInspector({ eventLog });
  const build = new BuildHistory();
  const payload = "x".repeat(8000);
  for (let at = 0; at < 3000; at++) build.save({ event: "log", data: { origin: { id: "1" }, payload } });
  await store(eventLog, "123", build.facts);
  const { port } = new URL(server.origin);
  const socket = connect(Number(port), "127.0.0.1");
  const path = `${base}/builds/123/facts`;
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  await expect.poll(() => server.inspector.open.streams).toBe(1);
  let before = -1;
  await expect.poll(() => [before, (before = read)].every((count) => count === read && count > 0)).toBe(true);
  expect(read).toBeLessThan(1500);
  socket.destroy();
  await expect.poll(() => server.inspector.open.streams).toBe(0);
});
