// The API as Concourse's own clients ask it.
import { goJson, type JsonObject, renderConcourseLog, type RecordedBuildFact, silentLogger } from "@fetch-image/core";
import { createProjector, systemClock } from "@fetch-image/engine";
import { createMemoryEventLog, createMemoryReadModel } from "@fetch-image/store/memory";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builds } from "../histories/shapes.ts";
import { ask, follow, hasEnded } from "../support/event-stream-client.ts";
import { flyWatch } from "../support/concourse-readers/fly-watch.ts";
import { webPage } from "../support/concourse-readers/web-page.ts";
import { type ReadApiServer, serveReadApi, store } from "../support/read-api-server.ts";
import { BuildHistory } from "../support/stream-histories.ts";

const eventLog = createMemoryEventLog();
const history = builds["scheduled-task"]?.();
const facts: readonly RecordedBuildFact[] = history?.facts ?? [];
const body = renderConcourseLog(facts);
let server: ReadApiServer;
let events: string;

beforeAll(async () => {
  await store(eventLog, "123", facts);
  server = await serveReadApi({ eventLog });
  events = `${server.origin}/api/v1/builds/123/events`;
});
afterAll(() => server[Symbol.asyncDispose]());

describe("a build that has ended", () => {
  test("is streamed with Concourse's headers, its end, and then nothing: the client closes", async () => {
    const follower = await follow(events);
    expect(await follower.until(hasEnded)).toBe(body);
    expect(follower.response.headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-store, must-revalidate",
      "x-accel-buffering": "no",
      "x-atc-stream-version": "2.0",
    });
    expect(follower.response.complete).toBe(false);
    expect(flyWatch(follower.text())).toMatchObject({ exitStatus: 0, cutOff: false });
    follower.close();
  });

  test("is resumed behind any event with the rest of the same bytes", async () => {
    const frames = body.split(/(?<=\n\n)/);
    for (const [id] of frames.entries()) {
      const follower = await follow(events, { "last-event-id": String(id) });
      const rest = frames.slice(id + 1).join("");
      // Who has had the end gets one again, or would wait for ever.
      expect(await follower.until(hasEnded)).toBe(rest === "" ? `id: ${frames.length}\nevent: end\ndata\n\n` : rest);
      follower.close();
    }
  });

  test("has a plan, and the web page shows each of its steps as it ended", async () => {
    const plan = await ask(`${server.origin}/api/v1/builds/123/plan`);
    expect(plan.status).toBe(200);
    expect(plan.headers["content-type"]).toBe("application/json");
    const { steps, ...lost } = webPage(plan.text, body);
    expect(lost).toEqual({ dropped: [], orphans: [], wiped: [] });
    expect([...steps.values()].map(({ id, state }) => [id, state])).toEqual([
      ["f0", "cancelled"],
      ["f1", "succeeded"],
      ["f1/image-check", "succeeded"],
      ["f1/image-get", "succeeded"],
    ]);
  });

  test("is told of in Concourse's own terms", async () => {
    const answers = await Promise.all(
      ["info", "builds/123", "builds/123/resources"].map((path) => ask(`${server.origin}/api/v1/${path}`)),
    );
    expect(answers.map(({ status, text }) => [status, JSON.parse(text)])).toEqual([
      [200, { version: "8.2.5", worker_version: "2.5", feature_flags: {} }],
      [
        200,
        {
          id: 123,
          name: "123",
          team_name: "main",
          pipeline_name: "ci",
          job_name: "unit",
          api_url: "/api/v1/builds/123",
          status: "succeeded",
          start_time: 1_795_322_400,
          end_time: 1_795_322_401,
        },
      ],
      [200, { inputs: [], outputs: [] }],
    ]);
  });
});

describe.each([
  "nightly-2026.11.22",
  "feature/login fix?#1%2F",
  "007",
  "v1.2+build;x=y&z@host:80",
  "..",
  "сборка-№7-建置-\u{1f680}",
  `é${"long".repeat(60)}`,
])("a build called %s", (buildId) => {
  const named = new BuildHistory(buildId);
  named.save({ event: "status", data: { status: "started" } });
  named.save({ event: "log", data: { origin: { id: "1" }, payload: "hello\n" } });
  named.save({ event: "status", data: { status: "succeeded" } });
  const path = `/api/v1/builds/${encodeURIComponent(buildId)}`;

  test("is read under its name, percent-encoded, and says 0 for its number", async () => {
    const log = createMemoryEventLog();
    const readModel = createMemoryReadModel();
    await store(log, buildId, named.facts);
    await createProjector({ eventLog: log, readModel, clock: systemClock, logger: silentLogger }).catchUp();
    await using other = await serveReadApi({ eventLog: log, readModel });
    const own = { id: 0, name: buildId, api_url: path, team_name: "main" };
    const [listed] = JSON.parse((await ask(`${other.origin}/api/v1/builds`)).text);
    expect(listed).toMatchObject(own);
    // Where the list says it is.
    const build = await ask(`${other.origin}${listed.api_url}`);
    expect(JSON.parse(build.text)).toMatchObject({ ...own, status: "succeeded" });
    expect((await ask(`${other.origin}${path}/resources`)).status).toBe(200);
    expect((await ask(`${other.origin}${path}/plan`)).text).toContain("has no plan");
    expect((await ask(`${other.origin}${path}/events`, { method: "HEAD" })).status).toBe(200);
    const follower = await follow(`${other.origin}${path}/events`, { "last-event-id": "0" });
    const frames = renderConcourseLog(named.facts).split(/(?<=\n\n)/);
    expect(await follower.until(hasEnded)).toBe(frames.slice(1).join(""));
    follower.close();
  });
});

describe("a request that cannot be answered", () => {
  test.each<[what: string, path: string, options: Parameters<typeof ask>[1], status: number, says: JsonObject]>([
    ["an unknown build", "builds/99", {}, 404, { code: "FI_BUILD_UNKNOWN", message: "there is no build 99" }],
    ["an unknown build's events", "builds/99/events", {}, 404, { code: "FI_BUILD_UNKNOWN" }],
    ["an unknown build's plan", "builds/99/plan", {}, 404, { code: "FI_BUILD_UNKNOWN" }],
    ["an unknown page", "teams", {}, 404, { message: "this API has no such page" }],
    ["a build's unknown page", "builds/123/abort", {}, 404, { message: "this API has no such page" }],
    ["a build that cannot be", "builds/%00", {}, 404, { message: "this API has no such page" }],
    ["another method", "builds/123", { method: "DELETE" }, 405, { message: "this API is read only" }],
    [
      "an id that is none",
      "builds/123/events",
      { headers: { "last-event-id": "-1" } },
      400,
      { message: "Last-Event-ID is no event's id" },
    ],
    ["a page of another origin", "info", { headers: { origin: "http://evil.example" } }, 403, {}],
    ["a name that leads here", "info", { headers: { host: "evil.example:80" } }, 403, {}],
    ["the list without a read model", "builds", {}, 404, { message: "there is no list of builds here" }],
  ])("%s: says why, in JSON", async (_what, path, options, status, says) => {
    const answer = await ask(`${server.origin}/api/v1/${path}`, options);
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(JSON.parse(answer.text)).toMatchObject(says);
  });

  test("of another path is left to the server that this is mounted in", async () => {
    expect((await ask(`${server.origin}/teams/main`)).status).toBe(418);
  });
});

test("HEAD has the headers of GET, and no body", async () => {
  const info = await ask(`${server.origin}/api/v1/info`, { method: "HEAD" });
  expect([info.status, info.text, Number(info.headers["content-length"]) > 0]).toEqual([200, "", true]);
  const stream = await ask(events, { method: "HEAD" });
  expect([stream.status, stream.text, stream.headers["x-atc-stream-version"]]).toEqual([200, "", "2.0"]);
  expect(server.api.open.streams).toBe(0);
});

test("a build without a plan has none, and its log is read all the same", async () => {
  const log = createMemoryEventLog();
  await store(log, "123", facts.slice(0, 1));
  await using bare = await serveReadApi({ eventLog: log, readModel: createMemoryReadModel() });
  expect((await ask(`${bare.origin}/api/v1/builds/123/plan`)).status).toBe(404);
  expect(JSON.parse((await ask(`${bare.origin}/api/v1/builds/123`)).text)).toMatchObject({ status: "started" });
  expect((await ask(`${bare.origin}/api/v1/builds`)).text).toBe(`${goJson([])}\n`);
});

test("with a token nobody is answered without it, whatever the name", async () => {
  await using closed = await serveReadApi({ eventLog, token: "s3cret-token" });
  const asked = await Promise.all(
    [{}, { authorization: "Bearer s3cret-toke" }, { authorization: "Basic s3cret-token" }].map((headers) =>
      ask(`${closed.origin}/api/v1/info`, { headers }),
    ),
  );
  expect(asked.map(({ status, headers }) => [status, headers["www-authenticate"]])).toEqual(
    asked.map(() => [401, "Bearer"]),
  );
  const headers = { authorization: "Bearer s3cret-token", host: "ci.example.com" };
  expect((await ask(`${closed.origin}/api/v1/info`, { headers })).status).toBe(200);
});

test("names can be allowed, and a server that has let a request in is trusted", async () => {
  await using named = await serveReadApi({ eventLog, allowedHosts: ["ci.example.com"] });
  const of = (origin: string, host: string) =>
    ask(`${origin}/api/v1/info`, { headers: { host, origin: `https://${host}` } });
  expect((await of(named.origin, "CI.example.com:8443")).status).toBe(200);
  expect((await of(named.origin, "ci.example.org")).status).toBe(403);
  await using trusted = await serveReadApi({ eventLog, trusted: true });
  expect((await of(trusted.origin, "ci.example.org")).status).toBe(200);
});
