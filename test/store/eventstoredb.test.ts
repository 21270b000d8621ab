// What the adapter promises beyond the port, most of it because of what EventStoreDB's client does by itself.
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject, Logger, NewFact } from "@fetch-image/core";
import { type EventStoreDbOptions, openEventStoreDb } from "@fetch-image/store/eventstoredb";
import { describe, expect, onTestFinished, test } from "vitest";
import { aFact, codeOf, errorOf, idsOf, someFacts } from "../conformance/facts.ts";
import { follow } from "../conformance/follower.ts";
import { makeAuthority, makeServerCertificate } from "../support/certificates.ts";
import {
  type NodeOptions,
  type Peer,
  startEventStoreDbCluster,
  startEventStoreDbPeer,
} from "../support/eventstoredb-peer/index.ts";
import { scratch } from "../support/scratch.ts";

/** A time limit for calls that are not answered; nothing else takes nearly as long. */
const shortly = 1000;

describe("appends", () => {
  test("one that is never answered ends in time, its outcome unknown; repeated, it is stored once", async () => {
    const { peer, eventLog } = await opened({ timeoutMs: shortly });
    peer.node.faults.mute.add("batchAppend");
    const facts = someFacts(2);
    const started = Date.now();
    const error = await errorOf(eventLog.append("build-1", "no-stream", facts));
    expect(error?.code).toBe("FI_APPEND_OUTCOME_UNKNOWN");
    expect(error?.message).toContain(`127.0.0.1:${peer.node.port}`);
    expect(error?.message).toContain("build-1");
    expect(Date.now() - started).toBeGreaterThanOrEqual(shortly - 5);
    peer.node.faults.mute.clear();
    expect(await eventLog.append("build-1", "no-stream", facts)).toMatchObject({ revision: 1n });
    expect(idsOf(await eventLog.read("build-1"))).toEqual(idsOf(facts));
  });

  test("one that cannot even be prepared ends in time, and nothing was stored", async () => {
    const { peer, eventLog } = await opened({ timeoutMs: shortly });
    // A new connection asks again what the server can do, and is not told.
    peer.node.kill();
    await codeOf(eventLog.read("build-1"));
    peer.node.faults.mute.add("features");
    await peer.node.start();
    expect(await codeOf(eventLog.append("build-1", "no-stream", [aFact()]))).toBe("FI_STORE_UNAVAILABLE");
    peer.node.faults.mute.clear();
    expect(await codeOf(eventLog.append("build-1", "no-stream", [aFact()]))).toBe("fulfilled");
    expect(await eventLog.read("build-1")).toHaveLength(1);
  });

  test("a server that is not there is named, and nothing was stored", async () => {
    const { peer, eventLog } = await opened({ timeoutMs: shortly });
    peer.node.kill();
    // The broken connection may have carried the first; from the second on it is plain that nothing was sent.
    await codeOf(eventLog.append("build-1", "no-stream", [aFact()]));
    for (const work of [() => eventLog.append("build-1", "no-stream", [aFact()]), () => eventLog.read("build-1")]) {
      const error = await errorOf(work());
      expect(error).toMatchObject({ code: "FI_STORE_UNAVAILABLE", retryable: true });
      expect(error?.message).toContain(`127.0.0.1:${peer.node.port}`);
    }
    await peer.node.start();
    expect(await codeOf(eventLog.append("build-1", "no-stream", [aFact()]))).toBe("fulfilled");
  });

  test("a refused one says stream, revision and expectation, whatever the connection string says of failures", async () => {
    const { eventLog } = await opened({ query: "&throwOnAppendFailure=false" });
    await eventLog.append("build-1", "no-stream", someFacts(3));
    const error = await errorOf(eventLog.append("build-1", 0n, someFacts(1)));
    expect(error).toMatchObject({
      code: "FI_WRONG_EXPECTED_REVISION",
      message: "stream build-1 stands at revision 2; the append expected revision 0",
      details: { stream: "build-1", expected: "0", actual: "2" },
    });
  });

  test("an empty one is refused before anybody is asked", async () => {
    const { peer, eventLog } = await opened();
    const asked = peer.node.calls.batchAppend;
    expect(await codeOf(eventLog.append("build-1", "no-stream", []))).toBe("FI_APPEND_INVALID");
    expect(peer.node.calls.batchAppend).toBe(asked);
  });

  test("given without waiting, those of one stream are stored in their order, all of them as batches of one call", async () => {
    const { peer, eventLog } = await opened();
    const facts = someFacts(100);
    const work = facts.map((fact, n) => eventLog.append("build-1", n === 0 ? "no-stream" : BigInt(n) - 1n, [fact]));
    expect((await Promise.all(work)).map(({ revision }) => revision)).toEqual(facts.map((_, n) => BigInt(n)));
    expect(peer.log.visible("build-1")).toMatchObject(facts.map(({ id }) => ({ id })));
    expect(peer.node.calls).toMatchObject({ batchAppend: 1, append: 0 });
  });

  test("clocks that differ by a minute do not matter", async () => {
    const { peer, eventLog } = await opened({ timeoutMs: shortly });
    peer.node.faults.clockAheadMs = 60_000;
    expect(await codeOf(eventLog.append("build-1", "no-stream", [aFact()]))).toBe("fulfilled");
  });

  test("a server that is not ready, or gave up itself, is asked again, and stores once", async () => {
    const { peer, eventLog } = await opened();
    const facts = someFacts(2);
    peer.node.faults.notReady = 3;
    peer.node.faults.timeouts = 2;
    const { revision } = await eventLog.append("build-1", "no-stream", facts);
    expect(revision).toBe(1n);
    expect(idsOf(await eventLog.read("build-1"))).toEqual(idsOf(facts));
    expect(peer.node.faults).toMatchObject({ notReady: 0, timeouts: 0 });
  });

  test("a server without batches gets a call for each, with the same answers", async () => {
    const { peer, eventLog } = await opened({ node: { batches: false } });
    const facts = someFacts(2);
    const first = await eventLog.append("build-1", "no-stream", facts);
    expect(await eventLog.append("build-1", "no-stream", facts)).toEqual(first);
    expect(first).toEqual({ revision: 1n, position: (await eventLog.read("build-1"))[1]?.position });
    expect(await errorOf(eventLog.append("build-1", 5n, someFacts(1)))).toMatchObject({
      code: "FI_WRONG_EXPECTED_REVISION",
      details: { actual: "1" },
    });
    peer.node.faults.maxAppendSize = 1000;
    expect(await codeOf(eventLog.append("build-1", 1n, [aFact({ text: "x".repeat(2000) })]))).toBe("FI_APPEND_INVALID");
    peer.node.faults.mute.add("append");
    expect(peer.node.calls).toMatchObject({ batchAppend: 0, append: 4 });
  });

  test("an append of more than any EventStoreDB can store is refused before it is sent", async () => {
    const { peer, eventLog } = await opened();
    const large = Array.from({ length: 17 }, () => aFact({ text: "x".repeat(1024 * 1024) }));
    const error = await errorOf(eventLog.append("build-1", "no-stream", large));
    expect(error?.code).toBe("FI_APPEND_INVALID");
    expect(error?.message).toMatch(/build-1: 178\d{5} bytes are more than/);
    expect(peer.node.calls.batchAppend).toBe(0);
  });

  test("large ones are taken beside small ones where the server allows them", async () => {
    const { peer, eventLog } = await opened();
    peer.node.faults.maxAppendSize = 16 * 1024 * 1024;
    const large = Array.from({ length: 8 }, () => aFact({ text: "x".repeat(1024 * 1024) }));
    const work = [eventLog.append("build-large", "no-stream", large)];
    for (let n = 0; n < 40; n++) work.push(eventLog.append(`build-${n}`, "no-stream", [aFact()]));
    expect((await Promise.all(work)).map(({ revision }) => revision)).toEqual([
      7n,
      ...Array.from({ length: 40 }, () => 0n),
    ]);
  });
});

describe("what is stored", () => {
  test("is a JSON event with the fact's own id, type and metadata, as EventStoreDB's projections expect it", async () => {
    const { peer, eventLog } = await opened();
    const metadata: JsonObject = { schema: 1, $correlationId: "123", $causationId: randomUUID() };
    const fact: NewFact = { id: randomUUID(), type: "ImageCheck", data: { z: 1, a: "é" }, metadata };
    await eventLog.append("build-123", "no-stream", [fact]);
    const stored = peer.log.events.at(-1);
    expect(stored).toMatchObject({ stream: "build-123", id: fact.id, type: "ImageCheck", isJson: true });
    expect(Buffer.from(stored?.data ?? []).toString()).toBe('{"z":1,"a":"é"}');
    expect(Buffer.from(stored?.metadata ?? []).toString()).toBe(JSON.stringify(metadata));
  });

  test("in a namespace, streams have its name before theirs, and nobody else's are seen", async () => {
    const { peer, eventLog } = await opened({ namespace: "ci" });
    const other = await openEventStoreDb({ connectionString: peer.url });
    onTestFinished(() => other.close());
    await eventLog.append("build-1", "no-stream", someFacts(1));
    await other.eventLog.append("build-1", "no-stream", someFacts(2));
    expect(peer.log.events.filter(({ stream }) => stream === "ci.build-1")).toHaveLength(1);
    expect((await eventLog.readAll({ limit: 10 })).facts).toMatchObject([{ stream: "build-1" }]);
    expect((await other.eventLog.readAll({ limit: 10 })).facts).toHaveLength(2);
    expect(await codeOf(openEventStoreDb({ connectionString: peer.url, namespace: "a-b" }))).toBe("FI_SETTING_INVALID");
  });

  test("without a namespace, other applications' streams and the server's own never surface, however many they are", async () => {
    const { peer, eventLog } = await opened();
    const mine: NewFact[] = [];
    for (let n = 0; n < 30; n++) {
      foreign(peer, `order-${n}`, 60);
      const fact = aFact({ n });
      mine.push(fact);
      await eventLog.append(n % 2 === 0 ? `build-${n}` : `imageScope-${n}`, "no-stream", [fact]);
    }
    foreign(peer, "order-last", 100);
    const all = await eventLog.readAll({ limit: 1000 });
    expect(idsOf(all.facts)).toEqual(idsOf(mine));
    expect(all.end).toBe(true);
    const builds = await eventLog.readAll({ limit: 1000, filter: { streamPrefixes: ["build-"] } });
    expect(builds.facts.map(({ data }) => data["n"])).toEqual(Array.from({ length: 15 }, (_, n) => 2 * n));
    const paged: string[] = [];
    for (let page = await eventLog.readAll({ limit: 7 }); ;) {
      paged.push(...idsOf(page.facts));
      if (page.end || page.next === undefined) break;
      page = await eventLog.readAll({ limit: 7, after: page.next });
    }
    expect(paged).toEqual(idsOf(mine));
    const refused = await errorOf(eventLog.append("order-1", "no-stream", [aFact()]));
    expect(refused?.code).toBe("FI_APPEND_INVALID");
    expect(refused?.message).toContain("build-…, imageScope-…, imageRegistry-…, shadow-… and buildNumbers");
    expect(await eventLog.read("order-1")).toEqual([]);
  });

  test("a store without facts of ours is empty, whatever else is on the server", async () => {
    const { peer, eventLog } = await opened();
    foreign(peer, "order-1", 800);
    expect(await eventLog.readAll({ limit: 10 })).toEqual({ facts: [], next: undefined, end: true });
    expect(await eventLog.readAll({ limit: 10, filter: { streamPrefixes: ["build-"] } })).toMatchObject({ end: true });
  });

  test("that is no fact, in a stream of ours, is an error that names it, not something to pass over", async () => {
    const { peer, eventLog } = await opened();
    peer.log.append("build-1", -1n, [
      { id: randomUUID(), type: "Blob", isJson: false, data: Buffer.from("x"), metadata: new Uint8Array() },
    ]);
    for (const work of [() => eventLog.read("build-1"), () => eventLog.readAll({ limit: 1 })]) {
      const error = await errorOf(work());
      expect(error?.code).toBe("FI_FACT_UNREADABLE");
      expect(error?.message).toContain("build-1, revision 0 (Blob)");
    }
  });

  test("has positions that no other kind of store takes for its own, nor the other way round", async () => {
    const { eventLog } = await opened();
    const { position } = await eventLog.append("build-1", "no-stream", [aFact()]);
    expect(position).toMatch(/^esdb:\d+$/);
    expect(await codeOf(eventLog.readAll({ after: "4711", limit: 1 }))).toBe("FI_POSITION_INVALID");
  });
});

describe("streams that somebody deleted", () => {
  test("for good are neither read nor appended to, and the error says so", async () => {
    const { peer, eventLog } = await opened();
    await eventLog.append("build-1", "no-stream", someFacts(2));
    peer.log.tombstone("build-1", 1n);
    for (const work of [() => eventLog.append("build-1", 1n, [aFact()]), () => eventLog.read("build-1")]) {
      const error = await errorOf(work());
      expect(error).toMatchObject({ code: "FI_STREAM_DELETED", retryable: false, details: { stream: "build-1" } });
    }
    expect(await codeOf(follow(eventLog, { filter: { stream: "build-1" } }).ended)).toBe("FI_STREAM_DELETED");
  });

  test("softly are empty, and go on from where they were", async () => {
    const { peer, eventLog } = await opened();
    await eventLog.append("build-1", "no-stream", someFacts(2));
    peer.log.delete("build-1", 1n);
    expect(await eventLog.read("build-1")).toEqual([]);
    expect(await eventLog.append("build-1", "no-stream", someFacts(1))).toMatchObject({ revision: 2n });
    expect((await eventLog.read("build-1")).map(({ revision }) => revision)).toEqual([2n]);
  });
});

describe("calls", () => {
  test("of readers that leave early, stop, or fail are ended on the server", async () => {
    const { peer, eventLog } = await opened();
    await eventLog.append("build-1", "no-stream", someFacts(60));
    const before = peer.node.openCalls;
    for (let n = 0; n < 10; n++) {
      for await (const message of eventLog.subscribe({ signal: new AbortController().signal })) {
        if (message.kind === "fact") break;
      }
      await eventLog.readAll({ limit: 3 });
      const follower = follow(eventLog, n % 2 === 0 ? {} : { filter: { stream: "build-1" } });
      await follower.caughtUp();
      await follower.stop();
    }
    await until(() => peer.node.openCalls <= before);
    expect(peer.node.openCalls).toBe(before);
  });

  test("after the last use is closed there are none, and the next use connects anew", async () => {
    const { peer, eventLog } = await opened();
    const second = await openEventStoreDb({ connectionString: peer.url });
    const follower = follow(second.eventLog);
    await follower.caughtUp();
    await eventLog.close();
    await second.eventLog.append("build-1", "no-stream", [aFact()]);
    await follower.reached(1);
    await second.close();
    await until(() => peer.node.openCalls === 0);
    expect(await codeOf(follower.ended)).toBe("FI_STORE_UNAVAILABLE");
    const third = await openEventStoreDb({ connectionString: peer.url });
    expect(await third.eventLog.read("build-1")).toHaveLength(1);
    await third.close();
  });
});

describe("access", () => {
  test("by TLS, user and password; a wrong one is refused at once, and no error or log line repeats it", async () => {
    using files = scratch("esdb-tls");
    const authority = makeAuthority();
    const certificate = makeServerCertificate(authority, ["127.0.0.1"]);
    writeFileSync(files.path("ca.pem"), authority.cert);
    const { node } = await peerOf({ tls: certificate, users: { ops: "s3cr:t@/" } });
    const url = (password: string): string =>
      `esdb://ops:${encodeURIComponent(password)}@127.0.0.1:${node.port}?tlsCAFile=${encodeURIComponent(files.path("ca.pem"))}`;
    const good = await openEventStoreDb({ connectionString: url("s3cr:t@/") });
    expect(await codeOf(good.eventLog.append("build-1", "no-stream", [aFact()]))).toBe("fulfilled");
    expect(await good.eventLog.read("build-1")).toHaveLength(1);
    expect(good.where).toBe(`EventStoreDB at 127.0.0.1:${node.port}`);
    await good.close();
    const said: string[] = [];
    const error = await errorOf(openEventStoreDb({ connectionString: url("hunter2:/@"), logger: loggerInto(said) }));
    expect(error).toMatchObject({ code: "FI_STORE_UNAVAILABLE", retryable: false });
    expect(error?.hint).toContain("user and password");
    expect(`${error?.stack} ${JSON.stringify(error)} ${said.join(" ")}`).not.toMatch(/hunter2|s3cr/);
    // Not the certificate's authority.
    const strange = openEventStoreDb({ connectionString: `esdb://ops:s3cr@127.0.0.1:${node.port}`, timeoutMs: 300 });
    expect(await codeOf(strange)).toBe("FI_STORE_UNAVAILABLE");
  });

  test("that is denied to a stream, or to everything, is no matter of trying again", async () => {
    const { peer, eventLog } = await opened();
    peer.node.faults.denied.add("build-secret");
    const append = () => eventLog.append("build-secret", "no-stream", [aFact()]);
    for (const work of [append, () => eventLog.read("build-secret")]) {
      const error = await errorOf(work());
      expect(error).toMatchObject({ code: "FI_STORE_UNAVAILABLE", retryable: false });
      expect(error?.message).toContain("build-secret");
    }
    peer.node.faults.denied.add("$all");
    expect(await errorOf(eventLog.readAll({ limit: 1 }))).toMatchObject({ retryable: false });
    expect(await errorOf(follow(eventLog).ended)).toMatchObject({ retryable: false });
  });

  test("without TLS, user and password would not be sent, which is said", async () => {
    const peer = await peerOf();
    const said: string[] = [];
    const url = peer.url.replace("esdb://", "kurrentdb://ops:hunter2@");
    const store = await openEventStoreDb({
      connectionString: `${url}&nodePreference=follower`,
      logger: loggerInto(said),
    });
    await store.close();
    expect(said).toEqual([
      "user and password are not sent to EventStoreDB without TLS",
      "EventStoreDB is asked at its leader only: nodePreference has no effect",
    ]);
  });

  test("to a server that is not there is warned of once, however often it is tried, in the words of the network", async () => {
    const warned: string[] = [];
    const logger = { ...loggerInto([]), warn: (message: string) => void warned.push(message) };
    const connectionString = "esdb://127.0.0.1:1?tls=false";
    const error = await errorOf(openEventStoreDb({ connectionString, timeoutMs: 2000, logger }));
    expect(error?.message).toMatch(/No connection established: connect ECONNREFUSED 127[.]0[.]0[.]1:1$/);
    expect(warned).toHaveLength(1);
  });

  test("to a server that is too old is refused when it is opened", async () => {
    const peer = await peerOf({ version: "22.10.5" });
    const error = await errorOf(openEventStoreDb({ connectionString: peer.url }));
    expect(error).toMatchObject({ code: "FI_STORE_UNAVAILABLE", retryable: false });
    expect(error?.message).toContain("22.10.5");
    await using newer = await startEventStoreDbPeer({ version: "26.1.0" });
    const store = await openEventStoreDb({ connectionString: newer.url });
    await store.close();
  });
});

describe("several servers of one process", () => {
  test("do not get in each other's way: one dies over and over, the other's appends are answered", async () => {
    const first = await opened();
    const second = await opened({ timeoutMs: shortly });
    const dying = (async () => {
      for (let n = 0; n < 8; n++) {
        await Promise.allSettled(
          someFacts(10).map((fact) => second.eventLog.append(`build-${fact.id}`, "no-stream", [fact])),
        );
        await second.peer.node.cut();
      }
    })();
    for (let n = 0; n < 200; n++) await first.eventLog.append(`build-${n}`, "no-stream", someFacts(1));
    await dying;
    expect((await first.eventLog.readAll({ limit: 1000 })).facts).toHaveLength(200);
    expect(second.peer.node.calls).toMatchObject({ batchAppend: 0 });
    expect(first.peer.node.calls).toMatchObject({ batchAppend: 1, append: 0 });
  });

  test("a cluster that was not there at first is found when it is", async () => {
    const { eventLog, cluster } = await openedCluster({ timeoutMs: 3000 });
    for (const node of cluster.nodes) node.kill();
    expect(await codeOf(eventLog.read("build-1"))).toBe("FI_STORE_UNAVAILABLE");
    const append = eventLog.append("build-1", "no-stream", [aFact()]);
    await sleep(300);
    for (const node of cluster.nodes) await node.start();
    expect(await codeOf(append)).toBe("fulfilled");
  });
});

async function peerOf(node: NodeOptions = {}): Promise<Peer> {
  const peer = await startEventStoreDbPeer(node);
  onTestFinished(() => peer.node.kill());
  return peer;
}

interface Opening extends Partial<EventStoreDbOptions> {
  readonly node?: NodeOptions;
  /** Added to the connection string. */
  readonly query?: string;
}

async function opened({ node, query = "", ...options }: Opening = {}) {
  const peer = await peerOf(node);
  const store = await openEventStoreDb({ connectionString: peer.url + query, ...options });
  onTestFinished(() => store.close());
  return { peer, eventLog: store.eventLog };
}

async function openedCluster(options: Partial<EventStoreDbOptions>) {
  const cluster = await startEventStoreDbCluster(3);
  onTestFinished(() => cluster[Symbol.asyncDispose]());
  const store = await openEventStoreDb({ connectionString: cluster.url, ...options });
  onTestFinished(() => store.close());
  return { cluster, eventLog: store.eventLog };
}

/** Events of another application's. */
function foreign(peer: Peer, stream: string, count: number): void {
  const events = Array.from({ length: count }, () => ({
    id: randomUUID(),
    type: "OrderPlaced",
    isJson: false,
    data: Buffer.from("x"),
    metadata: new Uint8Array(),
  }));
  peer.log.append(stream, -2n, events);
}

function loggerInto(lines: string[]): Logger {
  const log = (message: string, fields?: JsonObject): void => {
    lines.push(fields === undefined ? message : `${message} ${JSON.stringify(fields)}`);
  };
  return { debug: log, info: log, warn: log, error: log };
}

async function until(done: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; !done(); await sleep(5)) {
    if (Date.now() > deadline) return;
  }
}
