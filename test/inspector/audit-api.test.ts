// The audit as JSON over HTTP: the very answers of the functions.
import { createAudit } from "@fetch-image/engine";
import { createMemoryEventLog, createMemoryReadModel } from "@fetch-image/store/memory";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ReadApiServer, serveReadApi } from "../support/read-api-server.ts";

const readModel = createMemoryReadModel();
const audit = createAudit({ readModel });
const [old, moved] = ["a", "b"].map((letter) => `sha256:${letter.repeat(64)}`);
const repository = "registry.test/app";
let server: ReadApiServer;
let caughtUp = 0;

beforeAll(async () => {
  const time = (second: number) => `2026-11-22T04:40:0${second}.000Z`;
  const by = { scope: "s1", outcome: "changed" as const, fetchId: "1/image-get", node: "node-a/1", tag: "v1" };
  const image = { fetchId: "1/image-get", planId: "1", name: "image", type: "registry-image", repository, tag: "v1" };
  const images = [old, moved].map((digest = "", index) => ({
    ...image,
    buildId: `${index + 1}`,
    scope: "s1",
    digest,
    reference: `${repository}:v1@${digest}`,
    imageURL: `docker:///${repository}:v1@${digest}`,
    state: "short-circuited",
    observedAt: time(index * 4),
    requestedAt: time(index * 4),
  }));
  const observations = [old, moved].map((digest = "", index) => {
    return { ...by, revision: BigInt(index), digest, observedAt: time(index * 4), buildId: `${index + 1}` };
  });
  const builds = ["1", "2", "a/b"].map((buildId) => ({ buildId, team: "main", openedAt: time(0) }));
  const scopes = [{ scope: "s1", repository, tag: "v1", credential: "anonymous" }];
  await readModel.apply({ builds, images, scopes, versions: [], observations }, { from: undefined, to: "1" });
  const catchUp = async (): Promise<void> => void caughtUp++;
  server = await serveReadApi({ eventLog: createMemoryEventLog(), audit, catchUp });
});
afterAll(() => server[Symbol.asyncDispose]());

async function get(path: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const answer = await fetch(`${server.origin}/api/v1/fetch-image/${path}`);
  return { status: answer.status, body: await answer.json() };
}

test("every question has the answer that its function gives", async () => {
  const time = "2026-11-22T04:40:02.000Z";
  const questions: readonly (readonly [path: string, answer: unknown])[] = [
    ["builds/1/images", await audit.images("1")],
    ["builds/1/why", await audit.why("1")],
    ["builds/1/why?plan=1", await audit.why("1", "1")],
    ["builds/2/rerun", await audit.rerunPlan("2")],
    ["builds/2/statement", await audit.statement("2")],
    ["builds/a%2Fb/images", []],
    [`builds?digest=${old}`, await audit.builds({ digest: old ?? "" })],
    [`builds?ref=${repository}&limit=1`, await audit.builds({ reference: repository, limit: 1 })],
    [`versions?ref=${repository}:v1&limit=1`, await audit.versions(`${repository}:v1`, { limit: 1 })],
    [`as-of?ref=${repository}:v1&time=${time}`, await audit.asOf(`${repository}:v1`, time)],
    [`drift?since=2026-11-22`, await audit.drift()],
  ];
  for (const [path, answer] of questions) {
    expect({ path, ...(await get(path)) }).toEqual({ path, status: 200, body: answer });
  }
  expect(caughtUp).toBe(questions.length);
  expect(questions.at(-1)?.[1]).toMatchObject({ rows: [{ from: { digest: old }, to: { digest: moved } }] });
});

test("pages go on where the one before ended", async () => {
  const first = await audit.builds({ reference: repository, limit: 1 });
  const { body } = await get(`builds?ref=${repository}&limit=1&page=${first.next}`);
  expect(body).toMatchObject({ rows: [{ build: "1" }] });
  expect(body).not.toHaveProperty("next");
});

test("what is unknown is 404, what cannot be asked 400, and both say why", async () => {
  const refused: readonly (readonly [path: string, status: number, says: string])[] = [
    ["builds/99/images", 404, "FI_BUILD_UNKNOWN"],
    ["builds/1/why?plan=9", 404, "FI_PLAN_UNKNOWN"],
    ["builds/%zz/images", 404, "no such page"],
    ["builds/1/facts", 404, "no such page"],
    ["builds/1/images/2", 404, "no such page"],
    ["nothing", 404, "no such page"],
    ["builds", 400, "FI_QUERY_INVALID"],
    ["builds?digest=latest", 400, "FI_QUERY_INVALID"],
    [`builds?ref=${repository}&page=x`, 400, "FI_QUERY_INVALID"],
    [`builds?ref=${repository}&limit=many`, 400, "FI_QUERY_INVALID"],
    [`builds?ref=${repository}&sinse=2026-11-22`, 400, "FI_QUERY_INVALID"],
    [`builds?ref=${repository}&sinse=2026-11-22`, 400, "It takes digest, ref, since"],
    ["versions?ref=Not%20one", 400, "FI_REFERENCE_INVALID"],
    ["as-of?ref=busybox&time=yesterday", 400, "FI_QUERY_INVALID"],
    ["as-of?ref=busybox", 400, "FI_QUERY_INVALID"],
    ["as-of?ref=busybox", 400, "time is missing"],
  ];
  for (const [path, status, says] of refused) {
    const answer = await get(path);
    expect({ path, status: answer.status }).toEqual({ path, status });
    expect(JSON.stringify(answer.body)).toContain(says);
  }
});

test("without an audit there is no such page", async () => {
  await using bare = await serveReadApi({ eventLog: createMemoryEventLog() });
  expect((await fetch(`${bare.origin}/api/v1/fetch-image/drift`)).status).toBe(404);
});
