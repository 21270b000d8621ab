import type { EventLog } from "@fetch-image/core";
import { createMemoryReadModel } from "@fetch-image/store/memory";
import { expect, test } from "vitest";
import { scene } from "../support/engine.ts";
import { judgeRuns } from "./judge-runs.ts";
import { planOf } from "./plan.ts";
import type { Report } from "./protocol.ts";
import type { RunRecord } from "./run.ts";

// Seed 1's build, fetched by one process that nobody killed.
const registryHost = "registry.example.com";
const seed = 1;
const plan = planOf(seed, registryHost);

test("a run of which everything holds is found to hold", async () => {
  expect(await problemsOf(await aRun())).toEqual([]);
});

test("a fact that was acknowledged and is not there is found lost", async () => {
  const run = await aRun();
  const lost: Report = {
    say: "acknowledged",
    stream: `build-${plan.run.buildId}`,
    revision: "99",
    facts: [{ id: "0d4f3c6e-5a1b-5c2d-8e3f-000000000001", data: "{}" }],
  };
  expect(await problemsOf({ ...run, said: [lost] })).toContainEqual(expect.stringMatching(/^lost: /));
});

test("a fact that was acknowledged with other content is found lost", async () => {
  const run = await aRun();
  const [first] = await run.eventLog.read(`build-${plan.run.buildId}`);
  const changed: Report = {
    say: "acknowledged",
    stream: first?.stream ?? "",
    revision: "0",
    facts: [{ id: first?.id ?? "", data: '{"buildId":"another"}' }],
  };
  expect(await problemsOf({ ...run, said: [changed] })).toContainEqual(expect.stringMatching(/^lost: /));
});

test("an image that the stream does not hold is found", async () => {
  const { fetchId } = plan.run.fetches[0] ?? { fetchId: "" };
  const image: Report = { say: "image", buildId: plan.run.buildId, fetchId, image: "docker:///another" };
  expect(await problemsOf({ ...(await aRun()), said: [image] })).toContainEqual(
    expect.stringContaining("was given docker:///another"),
  );
});

test("a step that ran before the fact which owes it was stored is found", async () => {
  const step: Report = {
    say: "step",
    kind: "get",
    buildId: plan.run.buildId,
    effectKey: `${plan.run.buildId}/${plan.run.fetches[0]?.fetchId}/40`,
  };
  expect(await problemsOf({ ...(await aRun()), said: [step] })).toContainEqual(
    expect.stringContaining("ran before the fact that owes it"),
  );
});

test("a registry that was asked once too often is noticed", async () => {
  expect(await problemsOf({ ...(await aRun()), requests: 2 })).toContainEqual(expect.stringContaining("asked 2 times"));
});

test("a fetch that nobody goes on with is noticed", async () => {
  const { eventLog } = scene();
  expect(await problemsOf({ eventLog, digest: "", said: [], requests: 0 })).toContainEqual(
    expect.stringContaining("was never requested"),
  );
});

interface Run {
  readonly eventLog: EventLog;
  readonly digest: string;
  readonly said: readonly Report[];
  readonly requests: number;
}

async function aRun(): Promise<Run> {
  const stepRunner = {
    check: () => Promise.resolve([{ ref: "8d3f1c" }]),
    get: () => Promise.resolve({ handle: "volume" }),
  };
  const { engine, eventLog, registry, clock } = scene({ stepRunner });
  const digest = registry.push(`${registryHost}/${plan.repository}:v1`, "one");
  const build = await engine.openBuild({ id: plan.run.buildId });
  const fetches = Promise.all(
    plan.run.fetches.map(({ kind, request }) =>
      kind === "task" ? build.fetchTaskImage(request) : build.fetchImage(request),
    ),
  );
  await clock.settle();
  await fetches;
  await engine.close();
  return { eventLog, digest, said: [], requests: 1 };
}

async function problemsOf({ eventLog, digest, said, requests }: Run): Promise<readonly string[]> {
  const record: RunRecord = { seed, plan, lives: [said], kills: 0, failure: undefined };
  const store = {
    eventLog,
    readModel: createMemoryReadModel(),
    soleNode: true,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const problems = await judgeRuns(store, [record], {
    manifestRequests: () => requests,
    digestOf: () => digest,
  });
  return problems.map(({ problem }) => problem);
}
