import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:net";
import { FetchImageError, type NewFact } from "@fetch-image/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createMemoryEventLog, createMemoryReadModel } from "@fetch-image/store/memory";
import { connectReader, type ReadableStore, serveReaders } from "@fetch-image/store/pglite";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fetch-image-readers-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const fact = (n: number): NewFact => ({
  id: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`,
  type: "Happened",
  data: { n, odd: { $n: "5", revision: "7" } },
  metadata: {},
});

test("a socket that another process removes while it begins to listen ends nobody: the lock tells who has the directory", async () => {
  const store = { eventLog: createMemoryEventLog(), readModel: createMemoryReadModel() };
  const serving = serveReaders({ directory, ...store });
  rmSync(join(directory, "readers.sock"));
  expect(await (await serving).close()).toBeUndefined();
});

test("a reader sees what the holder has, with the same values", async () => {
  const eventLog = createMemoryEventLog();
  const readModel = createMemoryReadModel();
  await eventLog.append("build-1", "no-stream", [fact(1), fact(2)]);
  const versions = [{ scope: "s", tag: "v1", digest: "sha256:1", checkOrder: 3n }];
  const scopes = [{ scope: "s", repository: "docker.io/library/busybox" }];
  await readModel.apply(
    { builds: [{ buildId: "1" }], images: [], scopes, versions, observations: [] },
    { from: undefined, to: "2" },
  );
  const server = await serveReaders({ directory, eventLog, readModel });
  const reader = await connectReader(directory);

  expect(await reader.eventLog.read("build-1")).toEqual(await eventLog.read("build-1"));
  expect(await reader.eventLog.read("build-1", { from: 1n })).toHaveLength(1);
  expect(await reader.eventLog.readAll({ limit: 10 })).toEqual(await eventLog.readAll({ limit: 10 }));
  expect(await reader.readModel.versions("s")).toEqual(await readModel.versions("s"));
  expect(await reader.readModel.checkpoint()).toBe("2");
  expect(await reader.readModel.build("404")).toBeUndefined();
  expect(await reader.readModel.builds({ limit: 5 })).toEqual([{ buildId: "1" }]);
  await reader.close();
  await server.close();
});

test("a reader follows live, and stops when it likes", async () => {
  const eventLog = createMemoryEventLog();
  const server = await serveReaders({ directory, eventLog, readModel: createMemoryReadModel() });
  const reader = await connectReader(directory);
  const controller = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const message of reader.eventLog.subscribe({ signal: controller.signal })) {
      seen.push(message.kind === "fact" ? `${message.fact.revision}` : message.kind);
      if (seen.at(-1) === "1") controller.abort();
    }
  })();
  await eventLog.append("build-1", "no-stream", [fact(1)]);
  await eventLog.append("build-1", 0n, [fact(2)]);
  await following;
  expect(seen.filter((each) => each !== "caught-up")).toEqual(["0", "1"]);
  await reader.close();
  await server.close();
});

test("nothing is appended through a reader; what it projects goes to the holder", async () => {
  const readModel = createMemoryReadModel();
  const server = await serveReaders({ directory, eventLog: createMemoryEventLog(), readModel });
  const reader = await connectReader(directory);
  await expect(reader.eventLog.append("build-1", "no-stream", [fact(1)])).rejects.toMatchObject({
    code: "FI_STORE_LOCKED",
  });
  const changes = {
    builds: [{ buildId: "1" }],
    images: [],
    scopes: [],
    versions: [{ scope: "s", tag: "v1", digest: "sha256:1", checkOrder: 2n ** 60n }],
    observations: [],
  };
  expect(await reader.readModel.apply(changes, { from: undefined, to: "1" })).toBe("applied");
  expect(await reader.readModel.apply(changes, { from: undefined, to: "2" })).toBe("moved-by-another");
  expect(await readModel.checkpoint()).toBe("1");
  expect(await readModel.versions("s")).toEqual(changes.versions);
  await reader.readModel.reset();
  expect(await readModel.build("1")).toBeUndefined();
  await reader.close();
  await server.close();
});

test("errors come through with their code, details and hint", async () => {
  const eventLog = createMemoryEventLog();
  const server = await serveReaders({ directory, eventLog, readModel: createMemoryReadModel() });
  const reader = await connectReader(directory);
  const here = await eventLog.readAll({ after: "x", limit: 1 }).catch((error: unknown) => error);
  const there = await reader.eventLog.readAll({ after: "x", limit: 1 }).catch((error: unknown) => error);
  expect(there).toMatchObject(JSON.parse(JSON.stringify(here)));
  const { signal } = new AbortController();
  const subscription = reader.eventLog.subscribe({ after: "x", signal })[Symbol.asyncIterator]();
  await expect(subscription.next()).rejects.toMatchObject({ code: "FI_POSITION_INVALID" });
  await reader.close();
  await server.close();
});

test("readers that come before the store is open wait for it, and hear why when it cannot be", async () => {
  const eventLog = createMemoryEventLog();
  let open: (store: ReadableStore) => void = () => undefined;
  const store = new Promise<ReadableStore>((resolve) => (open = resolve));
  const server = await serveReaders({ directory, store });
  const reader = await connectReader(directory);
  const reading = reader.eventLog.read("build-1");
  await eventLog.append("build-1", "no-stream", [fact(1)]);
  open({ eventLog, readModel: createMemoryReadModel() });
  expect(await reading).toHaveLength(1);
  await server.close();

  const broken = await serveReaders({ directory, store: Promise.reject(new FetchImageError("FI_STORE_FULL")) });
  const early = await connectReader(directory);
  await expect(early.eventLog.read("build-1")).rejects.toMatchObject({ code: "FI_STORE_FULL" });
  await broken.close();
});

test("a slow reader holds back nobody else", async () => {
  const eventLog = createMemoryEventLog();
  const facts = Array.from({ length: 300 }, (_, n) => ({ ...fact(n), data: { text: "x".repeat(20_000) } }));
  await eventLog.append("build-1", "no-stream", facts);
  const server = await serveReaders({ directory, eventLog, readModel: createMemoryReadModel() });
  const reader = await connectReader(directory);
  const { signal } = new AbortController();
  const slow = reader.eventLog.subscribe({ signal })[Symbol.asyncIterator]();
  await slow.next();
  expect(await reader.eventLog.read("build-1", { limit: 1 })).toHaveLength(1);
  let count = 1;
  for (let next = await slow.next(); next.value.kind === "fact"; next = await slow.next()) count++;
  expect(count).toBe(300);
  await slow.return?.();
  await reader.close();
  await server.close();
});

test("somebody who speaks another language is hung up on, and disturbs nobody", async () => {
  const server = await serveReaders({
    directory,
    eventLog: createMemoryEventLog(),
    readModel: createMemoryReadModel(),
  });
  for (const line of ["GET / HTTP/1.1\r\n", "{}\n", "[]\n", "null\n", '{"id":1,"call":"drop"}\n']) {
    const stranger = connect(join(directory, "readers.sock"));
    stranger.write(line);
    stranger.setTimeout(200, () => stranger.destroy());
    await new Promise((resolve) => stranger.once("close", resolve).resume());
  }
  const reader = await connectReader(directory);
  expect(await reader.eventLog.read("build-1")).toEqual([]);
  await reader.close();
  await server.close();
});

test("the socket is its owner's alone, and gone after the holder closed", async () => {
  const server = await serveReaders({
    directory,
    eventLog: createMemoryEventLog(),
    readModel: createMemoryReadModel(),
  });
  expect(statSync(join(directory, "readers.sock")).mode & 0o777).toBe(0o600);
  await server.close();
  await expect(connectReader(directory)).rejects.toMatchObject({ code: "FI_STORE_UNAVAILABLE" });
});

test("a holder that goes away ends what its readers wait for", async () => {
  const server = await serveReaders({
    directory,
    eventLog: createMemoryEventLog(),
    readModel: createMemoryReadModel(),
  });
  const reader = await connectReader(directory);
  const { signal } = new AbortController();
  const following = (async () => {
    for await (const message of reader.eventLog.subscribe({ signal })) expect(message.kind).toBe("caught-up");
  })();
  const failure = following.catch((error: unknown) => error);
  await reader.eventLog.read("build-1");
  await server.close();
  expect(await failure).toMatchObject({ code: "FI_STORE_UNAVAILABLE" });
  await expect(reader.eventLog.read("build-1")).rejects.toMatchObject({ code: "FI_STORE_UNAVAILABLE" });
});

test("a data directory whose path is too long for a socket is served all the same", async () => {
  const deep = join(directory, "d".repeat(100), "e".repeat(100));
  mkdirSync(deep, { recursive: true });
  const eventLog = createMemoryEventLog();
  const server = await serveReaders({ directory: deep, eventLog, readModel: createMemoryReadModel() });
  const reader = await connectReader(deep);
  expect(await reader.eventLog.read("build-1")).toEqual([]);
  await reader.close();
  await server.close();
});
