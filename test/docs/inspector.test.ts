import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createMemoryEventLog, createMemoryReadModel } from "@fetch-image/store/memory";
import { expect, test } from "vitest";
import { aRequest } from "../support/fetch-facts.ts";
import { followEvents } from "../support/inspector-server.ts";
import { listenOnLoopback } from "../support/listen.ts";
import { store } from "../support/read-api-server.ts";
import { BuildHistory } from "../support/stream-histories.ts";
import { mount } from "./inspector-example.ts";

const read = (path: string) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");

test("the inspector guide mounts it by the code that is compiled and run here", () => {
  const lines = (code: string) => code.split("\n").map((line) => line.trim());
  const example = lines(read("./inspector-example.ts")).join("\n");
  const [first = ""] = [...read("../../docs/guides/inspector.md").matchAll(/```ts\n([\s\S]*?)```/g)].map(
    ([, code = ""]) => code.trim(),
  );
  expect(first).toContain("createInspector");
  expect(example).toContain(lines(first).join("\n"));
});

test("a scheduler that mounts it keeps its own pages and its own say over who looks on", async () => {
  const eventLog = createMemoryEventLog();
  const server = mount(eventLog, createMemoryReadModel(), {
    mayLookOn: async (request) => request.headers.authorization === "Basic operator",
    scheduler: (_request, response) => void response.end("the scheduler's own page"),
  });
  const { origin, close } = await listenOnLoopback(server);
  const headers = { authorization: "Basic operator" };
  const ask = (path: string) => fetch(`${origin}${path}`, { headers });
  for (const path of ["/", "/api/v1/builds", "/api/v1/fetch-image/fetches"]) {
    expect(await (await ask(path)).text()).toBe("the scheduler's own page");
  }
  expect((await fetch(`${origin}/fetch-image/api/v1/fetch-image/fetches`)).status).toBe(403);
  const events = await followEvents(`${origin}/fetch-image/api/v1/fetch-image/fetches/live`, headers);
  await events.until("caught-up", 1);
  await store(eventLog, "123", new BuildHistory().request(aRequest()).facts);
  expect(await events.until("fetch", 1)).toMatchObject([{ build: "123", state: "checking" }]);
  const page: unknown = await (await ask("/fetch-image/api/v1/fetch-image/fetches")).json();
  expect(page).toMatchObject({ fetches: [{ build: "123", state: "checking" }] });
  await close();
});
