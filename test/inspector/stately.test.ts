// What Stately's inspector is told, held against Stately's own package: its receiver, its relay, and what it tells itself
// of a live actor of the same machine.
import { type FetchRequest, fetchImageMachine, toMachineEvent } from "@fetch-image/core";
import { createStatelyServer, type StatelyServerOptions } from "@fetch-image/inspector/stately";
import { createMemoryEventLog, createMemoryReadModel } from "@fetch-image/store/memory";
import {
  createBrowserReceiver,
  createInspector as createStatelyInspector,
  createWebSocketReceiver,
  type StatelyInspectionEvent,
} from "@statelyai/inspect";
import { runInNewContext } from "node:vm";
import { WebSocket } from "ws";
import * as xstate from "xstate";
import { describe, expect, test } from "vitest";
import { ask } from "../support/event-stream-client.ts";
import { aRequest, digestA, inputs, lastingFailure } from "../support/fetch-facts.ts";
import { listenOnLoopback } from "../support/listen.ts";
import { store } from "../support/read-api-server.ts";
import { BuildHistory } from "../support/stream-histories.ts";

async function serveStately(options: Partial<StatelyServerOptions> = {}) {
  const { eventLog = createMemoryEventLog(), readModel = createMemoryReadModel() } = options;
  const { origin, close } = await listenOnLoopback(createStatelyServer({ ...options, eventLog, readModel }));
  return { eventLog, origin, socket: origin.replace("http:", "ws:"), [Symbol.asyncDispose]: close };
}

/** What the receiver of Stately's package hands on, until there are so many. */
function received(server: string, count: number): Promise<readonly StatelyInspectionEvent[]> {
  const messages: StatelyInspectionEvent[] = [];
  return new Promise((resolve) => {
    createWebSocketReceiver({ server }).subscribe((message) => {
      if (messages.push(message) === count) resolve([...messages]);
    });
  });
}

const retried = () =>
  new BuildHistory()
    .wait(5)
    .request(aRequest())
    .wait(20)
    .take(inputs.checkFailed())
    .wait(1000)
    .take(inputs.timer("backoff"))
    .wait(30)
    .take(inputs.checked({ tag: "v1", digest: digestA }));

test("Stately's receiver is told of every fetch: those that have ended, and those that go on", async () => {
  await using server = await serveStately();
  const { eventLog } = server;
  const build = retried();
  await store(eventLog, "123", build.facts);
  const messages = received(server.socket, 12);
  const before = await received(server.socket, 8);
  const failing = new BuildHistory("124").request(aRequest()).take(inputs.checkFailed(lastingFailure));
  await store(eventLog, "124", failing.facts);
  const all = await messages;
  expect(all.slice(0, 8)).toEqual(before);

  const shown = all.map((message) => [
    message.type,
    message.sessionId,
    message.rootId,
    Number(message.createdAt) - build.now + 1055,
    "event" in message ? message.event.type : message.parentId,
    "snapshot" in message ? (message.snapshot as { value?: unknown }).value : undefined,
  ]);
  const [root, fetch] = ["build-123", "build-123/f1/image-get"];
  const timer = "xstate.after.backoff.fetchImage.backing-off";
  expect(shown.slice(0, 8)).toEqual([
    ["@xstate.actor", root, root, 0, undefined, "open"],
    ["@xstate.actor", fetch, root, 5, root, "checking"],
    ["@xstate.event", fetch, root, 25, "ImageCheckFailed", undefined],
    ["@xstate.snapshot", fetch, root, 25, "ImageCheckFailed", "backing-off"],
    ["@xstate.event", fetch, root, 1025, timer, undefined],
    ["@xstate.snapshot", fetch, root, 1025, timer, "checking"],
    ["@xstate.event", fetch, root, 1055, "ImageChecked", undefined],
    ["@xstate.snapshot", fetch, root, 1055, "ImageChecked", "short-circuited"],
  ]);
  expect(shown.slice(8).map(([type, session, , , , value]) => [type, session, value])).toEqual([
    ["@xstate.actor", "build-124", "open"],
    ["@xstate.actor", "build-124/f1/image-get", "checking"],
    ["@xstate.event", "build-124/f1/image-get", undefined],
    ["@xstate.snapshot", "build-124/f1/image-get", "failed"],
  ]);
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  expect(new Set(all.map(({ _version }) => _version))).toEqual(new Set(["0.7.2"]));
});

test("it is told what Stately's package itself tells of a live actor, without the delays of its own", async () => {
  const told: StatelyInspectionEvent[] = [];
  const inspector = createStatelyInspector({ send: (message) => void told.push(message) });
  const build = retried();
  const clock = new xstate.SimulatedClock();
  const request = build.facts.find((fact) => fact.type === "FetchRequested")?.data as FetchRequest;
  const { inspect } = inspector;
  const actor = xstate.createActor(fetchImageMachine, { input: request, clock, inspect });
  actor.start();
  for (const fact of build.facts) {
    if (fact.type === "TimerFired") clock.increment(1000);
    if (fact.type === "ImageCheckFailed" || fact.type === "ImageChecked") {
      actor.send(toMachineEvent(fact));
    }
  }
  await expect
    .poll(() => told.findLast(({ type }) => type === "@xstate.snapshot"))
    .toMatchObject({
      snapshot: { value: "short-circuited" },
    });

  await using server = await serveStately();
  await store(server.eventLog, "123", build.facts);
  const ours = (await received(server.socket, 8)).slice(1);
  const shape = (messages: readonly StatelyInspectionEvent[]) =>
    messages.flatMap((message) => {
      if (message.type === "@xstate.actor") return [];
      const { value, context, status } = (message.type === "@xstate.snapshot" ? message.snapshot : {}) as {
        readonly [field: string]: unknown;
      };
      return [[message.type, message.event.type, ...(value === undefined ? [] : [value, status, context])]];
    });
  const theirs = shape(told).filter(([, event]) => event !== "xstate.init" && event !== "xstate.after.init");
  expect(shape(ours)).toEqual(JSON.parse(JSON.stringify(theirs)));
  const [theirActor, ourActor] = [told, ours].map((list) => list.find(({ type }) => type === "@xstate.actor"));
  if (theirActor?.type !== "@xstate.actor" || ourActor?.type !== "@xstate.actor")
    throw new Error("no actor was told of");
  const fields = (actorMessage: object) => Object.keys(actorMessage).toSorted();
  expect(fields(ourActor)).toEqual(fields(JSON.parse(JSON.stringify({ ...theirActor, parentId: "" }))));
  // Theirs has functions as `{type: name}`, ours leaves them out.
  expect(JSON.parse(theirActor.definition ?? "")).toMatchObject(JSON.parse(ourActor.definition ?? ""));
});

describe("who may be told", () => {
  const refusal = (url: string, headers: { readonly [name: string]: string } = {}) =>
    new Promise<number>((resolve, reject) => {
      const asked = new WebSocket(url, { headers });
      asked.on("unexpected-response", (_request, { statusCode = 0 }) => resolve(statusCode));
      asked.on("open", () => {
        asked.terminate();
        resolve(101);
      });
      asked.on("error", reject);
    });

  test("this machine's own programs and this server's own page, no page of another origin, no name that leads here", async () => {
    await using server = await serveStately();
    const { host } = new URL(server.origin);
    expect(await refusal(server.socket)).toBe(101);
    expect(await refusal(server.socket, { origin: `http://${host}` })).toBe(101);
    expect(await refusal(server.socket, { origin: "https://stately.ai" })).toBe(403);
    expect(await refusal(server.socket, { origin: "null" })).toBe(403);
    expect(await refusal(server.socket, { host: "evil.example" })).toBe(403);
    expect((await ask(`${server.origin}/`, { headers: { host: "evil.example" } })).status).toBe(403);
    expect((await ask(`${server.origin}/other`)).status).toBe(404);
  });

  test("with a token, who has it", async () => {
    const token = "a-token-of-some-length";
    await using server = await serveStately({ token });
    expect(await refusal(server.socket)).toBe(401);
    expect(await refusal(`${server.socket}/?token=another`)).toBe(401);
    expect(await refusal(`${server.socket}/?token=${token}`)).toBe(101);
    expect(await refusal(server.socket, { authorization: `Bearer ${token}` })).toBe(101);
    expect(await refusal(`${server.socket}/?token=${token}`, { origin: "https://stately.ai" })).toBe(403);
  });

  test("nothing is read of what a client sends, and a flood of it closes the connection", async () => {
    await using server = await serveStately();
    const socket = new WebSocket(server.socket);
    await new Promise((resolve) => socket.once("open", resolve));
    socket.send("{");
    socket.send("x".repeat(100_000));
    const code = await new Promise((resolve) => socket.once("close", resolve));
    expect(code).toBe(1009);
  });
});

describe("the page for Stately's hosted inspector", () => {
  test("frames that inspector alone, runs its own script alone, and hands every message to that origin alone", async () => {
    await using server = await serveStately();
    const build = retried();
    await store(server.eventLog, "123", build.facts);
    const page = await ask(`${server.origin}/`);
    const policy = page.headers["content-security-policy"] ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'sha256-");
    expect(policy).toContain("frame-src https://stately.ai; connect-src 'self'");
    expect(page.text).toContain('src="https://stately.ai/inspect"');

    const [, script = ""] = /<script>([^]*?)<\/script>/.exec(page.text) ?? [];
    const listeners: ((event: object) => void)[] = [];
    const inFrame: ((event: { data: unknown }) => void)[] = [];
    const posted: string[] = [];
    const frame = {
      postMessage(data: unknown, origin: string) {
        posted.push(origin);
        for (const listener of inFrame) listener({ data });
      },
    };
    // The window in the frame, as Stately's page has one: what it says to its parent reaches the page's listeners.
    const window = {
      self: 1,
      top: 2,
      parent: { postMessage: (data: unknown) => listeners.forEach((listener) => listener({ data, source: frame })) },
      addEventListener: (_type: string, listener: (event: { data: unknown }) => void) => inFrame.push(listener),
    };
    const { host } = new URL(server.origin);
    runInNewContext(script, {
      document: { getElementById: () => ({ contentWindow: frame }) },
      addEventListener: (_type: string, listener: (event: object) => void) => listeners.push(listener),
      location: { host, hash: "" },
      URLSearchParams,
      WebSocket,
    });
    listeners.forEach((listener) => listener({ data: { type: "@statelyai.connected" }, source: {} }));
    const messages: StatelyInspectionEvent[] = [];
    const all = new Promise<void>((resolve) => {
      createBrowserReceiver({ window: window as never }).subscribe((message) => {
        if (messages.push(message) === 8) resolve();
      });
    });
    await all;
    expect(messages).toEqual(await received(server.socket, 8));
    expect(new Set(posted)).toEqual(new Set(["https://stately.ai"]));
  });
});
