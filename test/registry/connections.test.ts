import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createImageRegistry, type OciRegistry } from "@fetch-image/registry";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "@fetch-image/registry/embedded";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { listenOnLoopback } from "../support/listen.ts";
import { failureOf, hasty, patient, sourceAt } from "./support.ts";

let peer: EmbeddedRegistry;
let registry: OciRegistry;
const tagPath = "/v2/acme/app/manifests/1";

beforeEach(async () => {
  peer = await startEmbeddedRegistry();
  await peer.push("acme/app:1");
  registry = createImageRegistry(hasty);
});

afterEach(async () => {
  await registry.close();
  await peer.close();
});

/** Long enough for a connection to be free again. */
const turns = (): Promise<void> => sleep(20);
const resolve = (options = patient): ReturnType<OciRegistry["resolve"]> =>
  registry.resolve(sourceAt(peer, "acme/app"), "1", options);

describe("connections", () => {
  // undici lends a connection again one turn of the event loop after its answer; who asks in the same turn gets a
  // second one, and so on in turns. Without keep-alive there would be one for each request.
  test("are kept: many HEADs and GETs in a row need no more than a second one", async () => {
    await resolve();
    const before = peer.connections;
    for (let at = 0; at < 25; at++) await resolve();
    peer.digestHeader("HEAD", tagPath, "omit");
    for (let at = 0; at < 25; at++) await resolve();
    expect(peer.connections - before).toBeLessThanOrEqual(1);
    expect(peer.counts).toMatchObject({ manifestHead: 51, manifestGet: 25 });
  });

  test("are kept after refusals, whose bodies are read to their end", async () => {
    await resolve();
    const before = peer.connections;
    peer.answerAlways("GET", tagPath, 403, {}, JSON.stringify({ errors: [{ code: "DENIED" }] }));
    peer.answerAlways("HEAD", tagPath, 405);
    for (let at = 0; at < 10; at++) await failureOf(resolve());
    expect(peer.connections - before).toBeLessThanOrEqual(1);
  });

  test("are bounded, however many ask at the same time", async () => {
    await using few = createImageRegistry({ limits: { connectionsPerOrigin: 3 } });
    await few.resolve(sourceAt(peer, "acme/app"), "1", patient);
    const before = peer.connections;
    await Promise.all(Array.from({ length: 64 }, () => few.resolve(sourceAt(peer, "acme/app"), "1", patient)));
    expect(peer.connections - before).toBeLessThanOrEqual(2);
  });

  test("to one that speaks no TLS: one tries it, however many ask at the same time", async () => {
    const before = peer.connections;
    await using few = createImageRegistry({ limits: { connectionsPerOrigin: 8 } });
    await Promise.all(Array.from({ length: 64 }, () => few.resolve(sourceAt(peer, "acme/app"), "1", patient)));
    expect(peer.connections - before).toBeLessThanOrEqual(1 + 8);
    expect(peer.counts.manifestHead).toBe(64);
  });

  test("that went stale while idle cost nobody an error", async () => {
    await resolve();
    await turns();
    peer.reset("HEAD", tagPath, 1);
    expect(await resolve()).toBeDefined();
    expect(peer.counts.manifestHead).toBe(3);
  });

  test("that drop again are an error: one attempt has one second chance", async () => {
    await resolve();
    await turns();
    peer.reset("HEAD", tagPath);
    const error = await failureOf(resolve());
    expect(error).toMatchObject({ code: "FI_REGISTRY_UNREACHABLE", retryable: true, details: { host: peer.host } });
    expect(peer.counts.manifestHead).toBe(3);
  });

  test("that are new and drop get no second chance", async () => {
    await using direct = createImageRegistry({ endpoints: { "docker.io": peer.origin } });
    peer.reset("HEAD", "/v2/library/busybox/manifests/1");
    const error = await failureOf(direct.resolve({ repository: "busybox" }, "1", patient));
    expect(error.code).toBe("FI_REGISTRY_UNREACHABLE");
    expect(peer.counts.manifestHead).toBe(1);
  });
});

describe("a registry", () => {
  test("that is down is unreachable, at once", async () => {
    await peer.close();
    const error = await failureOf(resolve());
    expect(error).toMatchObject({ code: "FI_REGISTRY_UNREACHABLE", retryable: true });
    expect(error.details).toMatchObject({ host: peer.host, reason: "ECONNREFUSED" });
    expect(error.message).toBe(`${peer.host} refuses connections`);
  });

  test("that comes back is found again by the same client", async () => {
    await resolve();
    const port = Number(peer.host.split(":")[1]);
    await peer.close();
    await failureOf(resolve());
    peer = await startEmbeddedRegistry({ port });
    await peer.push("acme/app:1");
    expect(await resolve()).toBeDefined();
  });

  test("whose name does not exist is unreachable", async () => {
    const error = await failureOf(registry.resolve({ repository: "registry.invalid/acme/app" }, "1", patient));
    expect(error).toMatchObject({ code: "FI_REGISTRY_UNREACHABLE", details: { host: "registry.invalid" } });
  });

  test("that never answers is given up after the headers timeout", async () => {
    peer.hang("HEAD", tagPath);
    const error = await failureOf(resolve());
    expect(error).toMatchObject({ code: "FI_REGISTRY_TIMEOUT", retryable: true, details: { host: peer.host } });
  });

  test("that falls silent in the middle of a manifest is given up after the body timeout", async () => {
    peer.answerAlways("HEAD", tagPath, 405);
    peer.stallBodyAfter("GET", tagPath, 10);
    expect((await failureOf(resolve())).message).toContain("stopped in the middle of its answer");
  });

  test("that cuts a manifest short is unreachable, not believed", async () => {
    peer.answerAlways("HEAD", tagPath, 405);
    peer.cutBodyAfter("GET", tagPath, 10);
    expect((await failureOf(resolve())).code).toBe("FI_REGISTRY_UNREACHABLE");
  });

  test("that is silent for one question answers the others: they do not wait for how it answers that one", async () => {
    await peer.push("acme/app:2");
    await using other = createImageRegistry({ timeouts: { headersMs: 5_000, exchangeMs: 5_000 } });
    peer.hang("HEAD", tagPath);
    const silent = other.resolve(sourceAt(peer, "acme/app"), "1", patient);
    silent.catch(() => {});
    const answered = other.resolve(sourceAt(peer, "acme/app"), "2", patient);
    expect(await Promise.race([answered, silent])).toBeDefined();
    await other.close();
    expect((await failureOf(silent)).code).toBe("FI_ABORTED");
  });

  test("that is slow, but in time, is waited for", async () => {
    peer.delay("HEAD", tagPath, 150);
    expect(await resolve()).toBeDefined();
  });

  test("that never ends its answer is cut off at the bound", async () => {
    peer.answerAlways("HEAD", tagPath, 405);
    peer.endlessBody("GET", tagPath);
    const error = await failureOf(resolve());
    expect(error).toMatchObject({ code: "FI_ANSWER_TOO_LARGE", details: { host: peer.host, maxBytes: 4_194_304 } });
  });

  test("that announces too large an answer is not even read", async () => {
    peer.answerAlways("HEAD", tagPath, 405);
    peer.answerAlways("GET", tagPath, 200, {}, Buffer.alloc(4_194_305, " "));
    expect((await failureOf(resolve())).code).toBe("FI_ANSWER_TOO_LARGE");
  });

  test("that trickles for ever, each byte in time, is given up after the exchange timeout", async () => {
    const trickle = createServer((socket) => {
      socket.on("error", () => {});
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n");
      const timer = setInterval(() => socket.write(" "), 50);
      socket.on("close", () => clearInterval(timer));
    });
    const { origin, close } = await listenOnLoopback(trickle);
    await using direct = createImageRegistry({ endpoints: { "docker.io": origin }, ...hasty });
    const error = await failureOf(direct.resolve({ repository: "busybox" }, "1", patient));
    expect(error).toMatchObject({ code: "FI_REGISTRY_TIMEOUT", details: { reason: "exchange", timeoutMs: 1500 } });
    await close();
  });

  test("that speaks something else than HTTP is told so", async () => {
    const smtp = createServer((socket) => {
      socket.on("error", () => {});
      socket.end("220 mail.example ESMTP\r\n");
    });
    const { origin, host, close } = await listenOnLoopback(smtp);
    await using direct = createImageRegistry({ endpoints: { "docker.io": origin } });
    const error = await failureOf(direct.resolve({ repository: "busybox" }, "1", patient));
    expect(error).toMatchObject({ code: "FI_REGISTRY_PROTOCOL", message: `${host} does not answer in HTTP` });
    await close();
  });

  test("that takes connections and says nothing at all is given up", async () => {
    const { host, close } = await listenOnLoopback(createServer(() => {}));
    const error = await failureOf(registry.resolve({ repository: `${host}/acme/app` }, "1", patient));
    expect(error).toMatchObject({ code: "FI_REGISTRY_TIMEOUT", details: { host } });
    await close();
  });
});

describe("aborting", () => {
  test("before anything was asked asks nothing", async () => {
    const error = await failureOf(resolve({ signal: AbortSignal.abort(new Error("the build was aborted")) }));
    expect(error).toMatchObject({ code: "FI_ABORTED", retryable: false });
    expect(error.cause).toMatchObject({ message: "the build was aborted" });
    expect(peer.requests).toHaveLength(0);
  });

  test("ends a request that hangs, at once", async () => {
    await using slow = createImageRegistry();
    peer.hang("HEAD", tagPath);
    const controller = new AbortController();
    const failing = failureOf(slow.resolve(sourceAt(peer, "acme/app"), "1", { signal: controller.signal }));
    await expect.poll(() => peer.requests.length).toBe(1);
    controller.abort();
    expect((await failing).code).toBe("FI_ABORTED");
  });

  test("ends a body that hangs, at once", async () => {
    await using slow = createImageRegistry();
    peer.answerAlways("HEAD", tagPath, 405);
    peer.stallBodyAfter("GET", tagPath, 10);
    const controller = new AbortController();
    const failing = failureOf(slow.resolve(sourceAt(peer, "acme/app"), "1", { signal: controller.signal }));
    await expect.poll(() => peer.counts.manifestGet).toBe(1);
    controller.abort();
    expect((await failing).code).toBe("FI_ABORTED");
  });

  test("ends a request that has no connection yet, at once", async () => {
    await using slow = createImageRegistry();
    let waiting = 0;
    const { host, close } = await listenOnLoopback(createServer(() => waiting++));
    const controller = new AbortController();
    const started = performance.now();
    const failing = failureOf(slow.resolve({ repository: `${host}/acme/app` }, "1", { signal: controller.signal }));
    await expect.poll(() => waiting).toBe(1);
    controller.abort();
    expect((await failing).code).toBe("FI_ABORTED");
    // The TLS handshake would be waited for ten seconds.
    expect(performance.now() - started).toBeLessThan(5_000);
    await close();
  });

  test("ends a request that waits for a free connection, at once, and it is never sent", async () => {
    await using single = createImageRegistry({ limits: { connectionsPerOrigin: 1 } });
    await single.resolve(sourceAt(peer, "acme/app"), "1", patient);
    peer.delay("HEAD", tagPath, 300);
    const first = single.resolve(sourceAt(peer, "acme/app"), "1", patient);
    await expect.poll(() => peer.requests.length).toBe(2);
    const controller = new AbortController();
    const failing = failureOf(single.resolve(sourceAt(peer, "acme/app"), "1", { signal: controller.signal }));
    controller.abort();
    expect((await failing).code).toBe("FI_ABORTED");
    expect(peer.requests.at(-1)?.status).toBe(0);
    await first;
    await turns();
    expect(peer.requests).toHaveLength(2);
  });

  test("leaves no listener behind on a signal that lives on", async () => {
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const counted = {
      aborted: false,
      reason: undefined,
      addEventListener: (type: "abort", listener: () => void): void => {
        listeners++;
        signal.addEventListener(type, listener);
      },
      removeEventListener: (type: "abort", listener: () => void): void => {
        listeners--;
        signal.removeEventListener(type, listener);
      },
    };
    await registry.resolve(sourceAt(peer, "acme/app"), "1", { signal: counted });
    peer.answerAlways("*", tagPath, 500);
    await failureOf(registry.resolve(sourceAt(peer, "acme/app"), "1", { signal: counted }));
    expect(listeners).toBe(0);
  });

  test("by closing the client ends what is in flight, and what is asked later", async () => {
    const closing = createImageRegistry();
    peer.hang("HEAD", tagPath);
    const failing = failureOf(closing.resolve(sourceAt(peer, "acme/app"), "1", patient));
    await expect.poll(() => peer.requests.length).toBe(1);
    await closing.close();
    expect((await failing).code).toBe("FI_ABORTED");
    expect((await failureOf(closing.resolve(sourceAt(peer, "acme/app"), "1", patient))).code).toBe("FI_ABORTED");
    expect(peer.requests).toHaveLength(1);
  });
});
