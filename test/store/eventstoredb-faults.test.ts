// Connections that are cut, servers that stop, answers that are lost, leaders that change: no acknowledged fact is lost,
// none is stored twice, and who follows the log gets each once, in order.
import { setTimeout as sleep } from "node:timers/promises";
import type { EventLog, ExpectedRevision, NewFact } from "@fetch-image/core";
import { openEventStoreDb } from "@fetch-image/store/eventstoredb";
import { describe, expect, onTestFinished, test } from "vitest";
import { aFact, codeOf, idsOf, someFacts } from "../conformance/facts.ts";
import { type Follower, follow } from "../conformance/follower.ts";
import { type PeerNode, startEventStoreDbCluster, startEventStoreDbPeer } from "../support/eventstoredb-peer/index.ts";
import { startPeerProcess } from "../support/eventstoredb-peer/start-process.ts";
import { startStorm } from "./child/start-storm.ts";

describe("an answer that is lost after the facts were stored", () => {
  test("with the connection: the append is repeated by itself, and stored once", async () => {
    const { node, eventLog } = await opened();
    for (let n = 0; n < 5; n++) {
      node.faults.loseAnswers = 1;
      const facts = someFacts(2);
      const { revision } = await eventLog.append(`build-${n}`, "no-stream", facts);
      expect(revision).toBe(1n);
      expect(idsOf(await eventLog.read(`build-${n}`))).toEqual(idsOf(facts));
    }
    expect(node.faults.loseAnswers).toBe(0);
  });

  test("in silence: the outcome is unknown, and the caller's repetition is answered as the first time", async () => {
    const { node, eventLog } = await opened(500);
    Object.assign(node.faults, { loseAnswers: 1, onLostAnswer: "silence" });
    const facts = someFacts(3);
    expect(await codeOf(eventLog.append("build-1", "no-stream", facts))).toBe("FI_APPEND_OUTCOME_UNKNOWN");
    const stored = await eventLog.read("build-1");
    expect(idsOf(stored)).toEqual(idsOf(facts));
    expect(await eventLog.append("build-1", "no-stream", facts)).toEqual({
      revision: 2n,
      position: stored[2]?.position,
    });
    expect(await eventLog.read("build-1")).toEqual(stored);
  });

  test("to one of many under way: the others are answered too, each stored once", async () => {
    const { node, eventLog } = await opened();
    const streams = Array.from({ length: 60 }, (_, n) => ({ stream: `build-${n}`, facts: someFacts(1 + (n % 3)) }));
    node.faults.loseAnswers = 3;
    const codes = await Promise.all(
      streams.map(({ stream, facts }) => codeOf(eventLog.append(stream, "no-stream", facts))),
    );
    expect(new Set(codes)).toEqual(new Set(["fulfilled"]));
    for (const { stream, facts } of streams) expect(idsOf(await eventLog.read(stream))).toEqual(idsOf(facts));
  });
});

describe("a reader", () => {
  test("whose connection is cut in the middle of an answer gets the whole answer", async () => {
    const { node, eventLog } = await opened();
    const facts = someFacts(300);
    await eventLog.append("build-1", "no-stream", facts);
    for (const cut of [1, 40, 299]) {
      node.faults.cutAfterEvents = cut;
      expect(idsOf(await eventLog.read("build-1"))).toEqual(idsOf(facts));
      node.faults.cutAfterEvents = cut;
      expect(idsOf((await eventLog.readAll({ limit: 1000 })).facts)).toEqual(idsOf(facts));
      expect(node.faults.cutAfterEvents).toBeUndefined();
    }
  });

  test("who is not answered is told in time", async () => {
    const { node, eventLog } = await opened(500);
    node.faults.mute.add("read");
    expect(await codeOf(eventLog.read("build-1"))).toBe("FI_STORE_UNAVAILABLE");
    expect(await codeOf(eventLog.readAll({ limit: 1 }))).toBe("FI_STORE_UNAVAILABLE");
    node.faults.mute.clear();
    expect(await codeOf(eventLog.read("build-1"))).toBe("fulfilled");
  });

  test("waits for a slow server", async () => {
    const { node, eventLog } = await opened();
    node.faults.delayMs = 150;
    await eventLog.append("build-1", "no-stream", someFacts(2));
    expect(await eventLog.read("build-1")).toHaveLength(2);
  });
});

describe("a follower", () => {
  test("gets each fact once, in order, while the server is stopped, killed and cut off, and facts go on coming", async () => {
    const { node, eventLog } = await opened();
    const all = follow(eventLog);
    const one = follow(eventLog, { filter: { stream: "build-1" } });
    const writing = write(eventLog, ["build-1", "build-2", "imageScope-a"], 60);
    for (let n = 0; n < 6; n++) {
      await all.reached(20 * n + 5);
      node.faults.cutAfterEvents = 3;
      if (n % 3 === 0) await node.cut();
      else if (n % 3 === 1) await node.stop();
      else node.kill();
      await sleep(20);
      if (!node.isRunning) await node.start();
    }
    await writing;
    await expectEverything(eventLog, all);
    const wanted = await eventLog.read("build-1");
    await one.reached(wanted.length);
    await one.stop();
    expect(idsOf(one.facts)).toEqual(idsOf(wanted));
  });

  test("resumes after what the server has looked at, though nothing of it was for the follower", async () => {
    const { node, eventLog } = await opened();
    await eventLog.append("imageScope-a", "no-stream", someFacts(1));
    const follower = follow(eventLog, { filter: { streamPrefixes: ["imageScope-"] } });
    await until(() => node.calls.subscribe === 1);
    // A few hundred events of other streams: enough for checkpoints.
    await eventLog.append("build-1", "no-stream", someFacts(600));
    await sleep(200);
    const before = node.askedFrom.length;
    await node.cut();
    await until(() => node.askedFrom.length > before);
    expect(node.askedFrom[before]).toBeGreaterThan(node.log.eventAt("build-1", 200n)?.position ?? 0n);
    await eventLog.append("imageScope-a", 0n, someFacts(1));
    await follower.reached(2);
    await follower.stop();
    expect(follower.facts.map(({ revision }) => revision)).toEqual([0n, 1n]);
  });

  test("whose consumer takes its time misses nothing that was held back when the connection went", async () => {
    const { node, eventLog } = await opened();
    const got: string[] = [];
    const controller = new AbortController();
    const work = write(eventLog, ["build-1", "build-2"], 150);
    for await (const message of eventLog.subscribe({ signal: controller.signal })) {
      if (message.kind !== "fact") continue;
      got.push(message.fact.id);
      if (got.length % 60 === 0) await node.cut();
      if (got.length % 10 === 0) await sleep(3);
      if (got.length === 300) controller.abort();
    }
    await work;
    expect(got).toEqual(idsOf((await eventLog.readAll({ limit: 1000 })).facts));
  });

  test("of a subscription that is never confirmed starts another", async () => {
    const { node, eventLog } = await opened(300);
    node.faults.mute.add("subscribe");
    const follower = follow(eventLog);
    await follower.caughtUp();
    await sleep(400);
    node.faults.mute.clear();
    const facts = someFacts(2);
    await eventLog.append("build-1", "no-stream", facts);
    await follower.reached(2);
    await follower.stop();
    expect(idsOf(follower.facts)).toEqual(idsOf(facts));
  });
});

describe("a cluster", () => {
  test("whose leader changes over and over loses nothing, and is written to at the leader", async () => {
    const { cluster, eventLog } = await openedCluster();
    const follower = follow(eventLog);
    const writing = write(eventLog, ["build-1", "build-2", "build-3"], 60);
    for (let turn = 1; turn <= 6; turn++) {
      await follower.reached(20 * turn);
      cluster.lead(turn % 3);
    }
    await writing;
    const { batchAppend } = cluster.leader.calls;
    await eventLog.append("build-last", "no-stream", someFacts(1));
    expect(cluster.leader.calls.batchAppend).toBeLessThanOrEqual(batchAppend + 1);
    await expectEverything(eventLog, follower);
  });

  test("whose leader dies goes on with another, found by gossip", async () => {
    const { cluster, eventLog } = await openedCluster();
    const follower = follow(eventLog);
    const writing = write(eventLog, ["build-1", "build-2"], 60);
    for (const next of [1, 2]) {
      await follower.reached(30 * next);
      const old = cluster.leader;
      old.kill();
      await sleep(50);
      cluster.lead(next);
    }
    await writing;
    await expectEverything(eventLog, follower);
    expect(cluster.nodes.map(({ isRunning }) => isRunning)).toEqual([false, false, true]);
  });

  test("of which one node alone is named is written to at the leader it names", async () => {
    const { cluster } = await openedCluster();
    const [, second] = cluster.nodes;
    const store = await openEventStoreDb({ connectionString: `esdb://127.0.0.1:${second?.port}?tls=false` });
    onTestFinished(() => store.close());
    await store.eventLog.append("build-1", "no-stream", someFacts(2));
    expect(await store.eventLog.read("build-1")).toHaveLength(2);
    expect(second?.calls).toMatchObject({ append: 0, batchAppend: 0 });
  });
});

describe("a server in a process of its own", () => {
  test("is as good, told what to do from here", async () => {
    await using peer = await startPeerProcess();
    const store = await openEventStoreDb({ connectionString: peer.url, timeoutMs: 20_000 });
    onTestFinished(() => store.close());
    await peer.tell({ do: "faults", node: 0, set: { loseAnswers: 1 } });
    await store.eventLog.append("build-1", "no-stream", someFacts(2));
    await peer.tell({ do: "kill", node: 0 });
    const read = store.eventLog.read("build-1");
    await peer.tell({ do: "start", node: 0 });
    expect(await read).toHaveLength(2);
    expect(await peer.tell({ do: "count", prefix: "build-" })).toBe(2);
    await expect(peer.tell({ do: "cut", node: 3 })).rejects.toThrow("no node 3");
  });
});

describe("a process", () => {
  test("outlives every failure of its server's: nothing it was told is lost, nothing is stored twice", async () => {
    const peer = await startEventStoreDbPeer();
    onTestFinished(() => peer.node.kill());
    const storm = await startStorm(peer.url, 8);
    onTestFinished(() => storm.kill());
    for (let n = 0; n < 12; n++) {
      await storm.acknowledgedAtLeast(storm.acknowledged.length + 40);
      if (n % 4 === 0) peer.node.faults.loseAnswers = 2;
      else if (n % 4 === 1) await peer.node.cut();
      else if (n % 4 === 2) await peer.node.stop();
      else peer.node.kill();
      await sleep(10);
      if (!peer.node.isRunning) await peer.node.start();
    }
    const { followed, exitCode } = await storm.end();
    expect(exitCode).toBe(0);
    const stored = peer.log.events.filter(({ stream }) => stream.startsWith("build-"));
    const ids = stored.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(storm.acknowledged.filter((id) => !ids.includes(id))).toEqual([]);
    expect(followed).toEqual(ids.slice(0, followed.length));
    expect(followed.length).toBeGreaterThanOrEqual(storm.acknowledged.length);
  });
});

async function opened(timeoutMs = 20_000): Promise<{ node: PeerNode; eventLog: EventLog }> {
  const peer = await startEventStoreDbPeer();
  onTestFinished(() => peer.node.kill());
  const store = await openEventStoreDb({ connectionString: peer.url, timeoutMs });
  onTestFinished(() => store.close());
  return { node: peer.node, eventLog: store.eventLog };
}

async function openedCluster() {
  const cluster = await startEventStoreDbCluster(3);
  onTestFinished(() => cluster[Symbol.asyncDispose]());
  const store = await openEventStoreDb({ connectionString: cluster.url, timeoutMs: 20_000 });
  onTestFinished(() => store.close());
  return { cluster, eventLog: store.eventLog };
}

/** One fact after the other to each stream, as the engine would: an outcome that is not known is found out. */
async function write(eventLog: EventLog, streams: readonly string[], each: number): Promise<void> {
  await Promise.all(
    streams.map(async (stream) => {
      let expected: ExpectedRevision = "no-stream";
      for (let n = 0; n < each; n++) expected = await insist(eventLog, stream, expected, aFact({ n }));
    }),
  );
}

async function insist(eventLog: EventLog, stream: string, expected: ExpectedRevision, fact: NewFact): Promise<bigint> {
  for (let attempt = 0; attempt < 20; attempt++) {
    let revision: bigint | undefined;
    const code = await codeOf(
      eventLog.append(stream, expected, [fact]).then((appended) => (revision = appended.revision)),
    );
    if (revision !== undefined) return revision;
    if (code !== "FI_APPEND_OUTCOME_UNKNOWN" && code !== "FI_STORE_UNAVAILABLE") throw new Error(code);
  }
  throw new Error("never got in");
}

async function expectEverything(eventLog: EventLog, follower: Follower): Promise<void> {
  const { facts } = await eventLog.readAll({ limit: 10_000 });
  await follower.reached(facts.length);
  await follower.stop();
  expect(idsOf(follower.facts)).toEqual(idsOf(facts));
  const streams = new Map<string, bigint[]>();
  for (const { stream, revision } of facts) streams.set(stream, [...(streams.get(stream) ?? []), revision]);
  for (const revisions of streams.values()) expect(revisions).toEqual(revisions.map((_, index) => BigInt(index)));
  expect(new Set(idsOf(facts)).size).toBe(facts.length);
}

async function until(done: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; !done(); await sleep(5)) {
    if (Date.now() > deadline) throw new Error("it never came to it");
  }
}
