// The list of fetches and how it goes on while they change.
import type { FetchSummary } from "@fetch-image/inspector";
import { createMemoryEventLog, createMemoryReadModel } from "@fetch-image/store/memory";
import { expect, test } from "vitest";
import { ask } from "../support/event-stream-client.ts";
import { aPinnedRequest, aRequest, digestA, digestB, inputs, lastingFailure } from "../support/fetch-facts.ts";
import { followEvents, type InspectorServer, serveInspector } from "../support/inspector-server.ts";
import { store } from "../support/read-api-server.ts";
import { BuildHistory } from "../support/stream-histories.ts";

const path = "/api/v1/fetch-image/fetches";

interface Page {
  readonly fetches: readonly FetchSummary[];
  readonly next?: string;
  readonly position?: string;
}

async function list({ origin }: InspectorServer, query = ""): Promise<Page> {
  const answer = await ask(`${origin}${path}${query}`);
  expect({ query, status: answer.status }).toEqual({ query, status: 200 });
  return JSON.parse(answer.text);
}

test("a fetch is listed with what its facts say of it, whether it has ended or not", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  const plan = { id: "f1", task: { name: "unit", config_path: "ci/unit.yml" } };
  const ended = new BuildHistory("122");
  ended.append({ type: "BuildPlanned", data: { buildId: "122", plan } }, "planned");
  ended
    .request(aRequest())
    .wait(140)
    .take(inputs.checked({ tag: "v1", digest: digestA }));
  const waiting = new BuildHistory("123").wait(1000).request(aRequest()).wait(10).take(inputs.joined("122"));
  await store(eventLog, "122", ended.facts);
  await store(eventLog, "123", waiting.facts);

  const { fetches, next, position } = await list(server);
  expect(next).toBeUndefined();
  expect(position).toBe(String(ended.facts.length + waiting.facts.length));
  const same = { fetch: "f1/image-get", team: "main", pipeline: "ci", job: "unit", plan: "f1" };
  const image = { kind: "task", name: "image", type: "registry-image", image: "registry.test/app:v1" };
  expect(fetches).toEqual([
    {
      build: "123",
      ...same,
      step: "f1",
      ...image,
      state: "waiting",
      requestedAt: "2026-11-22T04:40:01.000Z",
      since: "2026-11-22T04:40:01.010Z",
      attempt: 1,
      waitsFor: { build: "122", fetch: "e1/image-get" },
      timer: { name: "patience", dueAt: "2026-11-22T04:40:16.010Z" },
      facts: 4,
    },
    {
      build: "122",
      ...same,
      step: "unit",
      ...image,
      state: "short-circuited",
      requestedAt: "2026-11-22T04:40:00.000Z",
      since: "2026-11-22T04:40:00.140Z",
      endedAt: "2026-11-22T04:40:00.140Z",
      digest: digestA,
      reference: `registry.test/app:v1@${digestA}`,
      via: "HEAD",
    },
  ]);
});

test("pages follow each other without a gap, and a search goes on where it stopped looking", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  for (let id = 1; id <= 25; id++) {
    const digest = id % 2 === 0 ? digestA : digestB;
    const build = new BuildHistory(`${id}`).wait(id * 1000).request(aRequest());
    if (id === 7) build.take(inputs.checkFailed(lastingFailure));
    else if (id !== 9) build.take(inputs.checked({ tag: "v1", digest }));
    await store(eventLog, `${id}`, build.facts);
  }
  const all = (await list(server, "?limit=500")).fetches.map(({ build }) => Number(build));
  expect(all).toEqual(Array.from({ length: 25 }, (_, index) => 25 - index));
  const paged: number[] = [];
  for (let next: string | undefined = ""; next !== undefined;) {
    const page: Page = await list(server, `?limit=4${next === "" ? "" : `&before=${next}`}`);
    paged.push(...page.fetches.map(({ build }) => Number(build)));
    next = page.next;
  }
  expect(paged).toEqual(all);

  const found = async (query: string) => (await list(server, query)).fetches.map(({ build }) => Number(build));
  expect(await found("?state=failed")).toEqual([7]);
  expect(await found("?state=active")).toEqual([9]);
  expect(await found("?state=failed,checking")).toEqual([9, 7]);
  expect(await found(`?q=${digestA.slice(7, 11)}`)).toEqual(all.filter((id) => id % 2 === 0));
  expect(await found(`?q=${digestA}&limit=3`)).toEqual([24, 22, 20]);
  // The build of that very name comes first.
  expect(await found("?q=2")).toEqual([2, 25, 24, 23, 22, 21, 20, 12]);
  expect(await found("?q=REGISTRY.test/App:v1&limit=2")).toEqual([25, 24]);
  expect(await found("?q=nothing-has-this-name")).toEqual([]);
});

test("whoever looks on is told of each change as it is stored, and goes on where it was cut off", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  const build = new BuildHistory().request(aRequest());
  await store(eventLog, "123", build.facts);
  const { position = "" } = await list(server);
  const events = await followEvents(`${server.origin}${path}/live?after=${position}`);
  await events.until("caught-up", 1);
  expect(events.all().filter(({ event }) => event === "fetch")).toEqual([]);

  let stored = build.facts.length;
  build.wait(20).take(inputs.checkFailed());
  await store(eventLog, "123", build.facts.slice(stored));
  stored = build.facts.length;
  const [failing] = await events.until("fetch", 1);
  expect(failing).toMatchObject({ build: "123", state: "backing-off", attempt: 1, timer: { name: "backoff" } });
  const seen = events.all().findLast(({ id }) => id !== undefined)?.id ?? "";
  events.follower.close();

  build
    .wait(2000)
    .take(inputs.timer("backoff"))
    .wait(30)
    .take(inputs.checked({ tag: "v1", digest: digestA }));
  await store(eventLog, "123", build.facts.slice(stored));
  const again = await followEvents(`${server.origin}${path}/live?after=${position}`, { "last-event-id": seen });
  const [ended] = await again.until("fetch", 1);
  expect(ended).toMatchObject({ state: "short-circuited", attempt: 1, digest: digestA, facts: build.facts.length - 1 });
  expect(ended).not.toHaveProperty("timer");
  await again.until("caught-up", 1);
  expect(again.all().map(({ event }) => event)).toEqual(["fetch", "caught-up"]);
});

test("what is live and what is listed are the same, for every fetch that ends", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  const events = await followEvents(`${server.origin}${path}/live`);
  await events.until("caught-up", 1);
  const builds = [
    new BuildHistory("1").request(aRequest()).take(inputs.checked({ tag: "v1", digest: digestA })),
    new BuildHistory("2").request(aPinnedRequest({ tag: "v1", digest: digestB })),
    new BuildHistory("3").request(aRequest()).take(inputs.checkFailed(lastingFailure)),
    new BuildHistory("4").request(aRequest()).take(inputs.aborted()),
    new BuildHistory("5")
      .request(aRequest({ native: false }))
      .take(inputs.checked({ tag: "v1", digest: digestA }, { via: "stale-served" }))
      .take(inputs.fetched()),
  ];
  for (const build of builds) await store(eventLog, build.buildId, build.facts);
  await events.until("fetch", builds.length);
  const live = new Map(
    events.all().flatMap(({ event, data }) => {
      const summary: FetchSummary | undefined = event === "fetch" ? JSON.parse(data) : undefined;
      return summary === undefined ? [] : [[summary.build, summary]];
    }),
  );
  const { fetches } = await list(server);
  expect(fetches).toHaveLength(builds.length);
  for (const listed of fetches) expect(live.get(listed.build)).toMatchObject({ ...listed });
  expect(fetches.map(({ state }) => state).toSorted()).toEqual([
    "aborted",
    "failed",
    "fetched",
    "short-circuited",
    "short-circuited",
  ]);
});

test("an artifact that a task runs in is no fetch, neither in the list nor in a search for its build", async () => {
  const eventLog = createMemoryEventLog();
  await using server = await serveInspector({ eventLog });
  const build = new BuildHistory("6").request(aRequest()).take(inputs.checked({ tag: "v1", digest: digestA }));
  const reference = `registry.test/app:v1@${digestB}`;
  for (const [planId, via] of [
    ["8", "registry"],
    ["9", "push"],
  ] as const) {
    const resolved = { planId, artifact: "image", via, reference };
    build.append({ type: "ArtifactImageResolved", data: resolved }, `artifact-image\n${planId}`);
  }
  await store(eventLog, build.buildId, build.facts);
  for (const query of ["", "?q=6"]) {
    const { fetches } = await list(server, query);
    expect(fetches.map(({ fetch }) => fetch)).toEqual(["f1/image-get"]);
  }
});

test("a question that cannot be answered is refused, and says why", async () => {
  await using server = await serveInspector({ readModel: createMemoryReadModel() });
  const refused: readonly (readonly [query: string, says: string])[] = [
    ["?limit=0", "FI_QUERY_INVALID"],
    ["?limit=many", "FI_QUERY_INVALID"],
    ["?limit=501", "FI_QUERY_INVALID"],
    ["?before=x", "FI_QUERY_INVALID"],
    [`?before=${Buffer.from('["2026-11-22T04:40:00.000Z","",""]').toString("base64url")}`, "FI_QUERY_INVALID"],
    [`?before=${Buffer.from('["yesterday","1","2"]').toString("base64url")}`, "FI_QUERY_INVALID"],
    [`?q=${"x".repeat(301)}`, "FI_QUERY_INVALID"],
    ["?sate=failed", "sate"],
    ["/live?after=yesterday", "FI_POSITION_INVALID"],
    [`/live?after=${"9".repeat(300)}`, "no place in the log"],
  ];
  for (const [query, says] of refused) {
    const { status, text } = await ask(`${server.origin}${path}${query}`);
    expect({ query, status }).toEqual({ query, status: 400 });
    expect(text).toContain(says);
  }
  expect(server.inspector.open).toMatchObject({ streams: 0, viewers: 0 });
});
