// The store goes away while an engine works on it, and comes back: nothing that was acknowledged is lost, who is told of it
// is told by a code that says to ask again, and the same engine goes on.
import { spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type EventLog, FetchImageError, type ReadModel } from "@fetch-image/core";
import { createFetchImageEngine } from "@fetch-image/engine";
import { openEventStoreDb } from "@fetch-image/store/eventstoredb";
import { createMemoryReadModel } from "@fetch-image/store/memory";
import { openPostgresStore } from "@fetch-image/store/postgres";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { typePlans } from "../support/engine.ts";
import { startEventStoreDbCluster, startEventStoreDbPeer } from "../support/eventstoredb-peer/index.ts";
import { pgBouncerMissing, startPgBouncer } from "../support/pgbouncer.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { scriptedRegistry } from "../support/scripted-registry.ts";
import { startTcpProxy } from "./tcp-proxy.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const missing = postgresMissing();

describe.skipIf(missing !== undefined)(`PostgreSQL${missing === undefined ? "" : `: ${missing}`}`, () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  for (const mode of ["fast", "immediate"] as const) {
    test(`stopped ${mode === "fast" ? "by its administrator" : "as by a crash"} and started again`, async () => {
      await using store = await openPostgresStore({ connectionString: await server.createDatabase() });
      const { lost } = await fetchThrough(store, async () => {
        await server.halt(mode);
        await sleep(300);
        await server.start();
      });
      expect(lost).toEqual([]);
    });
  }

  for (const mode of ["session", "transaction"] as const) {
    test(`behind a PgBouncer in ${mode} mode that crashes, and is started again`, async ({ skip }) => {
      const absent = pgBouncerMissing();
      if (absent !== undefined) skip(absent);
      await using pooler = await startPgBouncer(server.port, { mode, poolSize: 5 });
      const connectionString = pooler.through(await server.createDatabase());
      await using store = await openPostgresStore({ connectionString, poolSize: 5 });
      const { lost } = await fetchThrough(store, async () => {
        await pooler.kill();
        await sleep(300);
        await pooler.start();
      });
      expect(lost).toEqual([]);
    });
  }

  test("whose connections are cut in the middle of appends, with the answers they carried", async () => {
    await using proxy = await startTcpProxy(server.port);
    const url = new URL(await server.createDatabase());
    url.port = String(proxy.port);
    await using store = await openPostgresStore({ connectionString: url.href });
    const { lost } = await fetchThrough(store, async () => {
      for (let cut = 0; cut < 10; cut++) {
        proxy.cut();
        await sleep(15);
        proxy.answers = "cut";
        await sleep(15);
        proxy.answers = "pass";
      }
    });
    expect(lost).toEqual([]);
  });

  test("whose disk is full, until there is room", async ({ skip }) => {
    const disk = mkdtempSync(join(tmpdir(), "fetch-image-full-"));
    onTestFinished(() => rmSync(disk, { recursive: true, force: true }));
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=24m", "none", disk]).status !== 0)
      skip("a small disk cannot be mounted here");
    onTestFinished(() => void spawnSync("umount", ["-l", disk]));
    const { uid, gid } = statSync(server.dataDirectory);
    chownSync(disk, uid, gid);
    const admin = new Client({ connectionString: server.url });
    await admin.connect();
    await admin.query(`create tablespace small location '${disk}'`);
    await admin.query("create database on_small_disk tablespace small");
    await admin.end();
    const url = server.url.replace(/postgres$/, "on_small_disk");
    const store = await openPostgresStore({ connectionString: url });
    onTestFinished(() => store.close());
    const { told, lost } = await fetchThrough(store, async (isTold) => {
      spawnSync("sh", ["-c", `cat /dev/zero > ${disk}/hog 2>/dev/null`]);
      await isTold;
      rmSync(join(disk, "hog"));
    });
    expect(told).toContain("FI_STORE_FULL");
    expect(lost).toEqual([]);
  });
});

describe("EventStoreDB", () => {
  test("stopped, killed and started again", async () => {
    await using peer = await startEventStoreDbPeer();
    await using store = await openedEventStore(peer.url);
    const { node } = peer;
    const { lost } = await fetchThrough(store, async () => {
      await node.stop();
      await sleep(200);
      await node.start();
      await sleep(100);
      node.kill();
      await sleep(200);
      await node.start();
    });
    expect(lost).toEqual([]);
  });

  test("that loses answers, cuts connections, is not ready, and gives writes up as one whose disk stands still", async () => {
    await using peer = await startEventStoreDbPeer();
    await using store = await openedEventStore(peer.url);
    const { node } = peer;
    const { lost } = await fetchThrough(store, async () => {
      for (let round = 0; round < 4; round++) {
        node.faults.loseAnswers = 2;
        await sleep(40);
        await node.cut();
        Object.assign(node.faults, { notReady: 3, timeouts: 3 });
        await sleep(40);
      }
      Object.assign(node.faults, { loseAnswers: 0, notReady: 0, timeouts: 0 });
    });
    expect(lost).toEqual([]);
  });

  test("whose leader changes, and dies", async () => {
    const cluster = await startEventStoreDbCluster(3);
    onTestFinished(() => cluster[Symbol.asyncDispose]());
    await using store = await openedEventStore(cluster.url);
    const { lost } = await fetchThrough(store, async () => {
      cluster.lead(1);
      await sleep(100);
      cluster.leader.kill();
      await sleep(100);
      cluster.lead(2);
    });
    expect(lost).toEqual([]);
  });
});

async function openedEventStore(connectionString: string) {
  const store = await openEventStoreDb({ connectionString });
  const { eventLog } = store;
  return { eventLog, readModel: createMemoryReadModel(), [Symbol.asyncDispose]: () => store.close() };
}

/**
 * Has an engine fetch while the outage lasts, before it and after it, a scheduler asking again where it is told to. Gives
 * the codes by which anybody was told, and what was acknowledged and does not stand there once.
 */
async function fetchThrough(
  store: { readonly eventLog: EventLog; readonly readModel: ReadModel },
  outage: (isTold: Promise<void>) => Promise<void>,
): Promise<{ readonly told: readonly string[]; readonly lost: readonly string[] }> {
  const { eventLog, readModel } = store;
  const registry = scriptedRegistry();
  const acknowledged = new Map<string, string[]>();
  const append: EventLog["append"] = async (stream, expected, facts) => {
    const done = await eventLog.append(stream, expected, facts);
    acknowledged.set(stream, [...(acknowledged.get(stream) ?? []), ...facts.map(({ id }) => id)]);
    return done;
  };
  const watched: EventLog = {
    append,
    read: (stream, options) => eventLog.read(stream, options),
    readAll: (options) => eventLog.readAll(options),
    subscribe: (options) => eventLog.subscribe(options),
    close: () => eventLog.close(),
  };
  // An engine gives its own attempts up long before the store is back.
  const settings = { attempts: 3, backoffBaseMs: 10, backoffCapMs: 20, claimMs: 1000 };
  const engine = createFetchImageEngine({ eventLog: watched, readModel, registry, nativeImageFetch: true, settings });
  const codes = new Set<string>();
  let tell = () => {};
  const isTold = new Promise<void>((resolve) => (tell = resolve));
  const state = { isHealed: false };

  const fetch = async (id: string): Promise<string> => {
    const repository = `registry.example.com/acme/${id}`;
    const digest = registry.push(`${repository}:v1`, id);
    // Once the store is back, a few times at most: a connection in the pool may have to be found broken first.
    for (let asks = 0; ;) {
      if (state.isHealed) asks++;
      try {
        const build = await engine.openBuild({ id });
        const plans = typePlans("step", { repository, tag: "v1" });
        const { imageURL } = await build.fetchImage({ ...plans, privileged: false });
        expect(imageURL).toContain(digest);
        return id;
      } catch (error) {
        if (!FetchImageError.is(error) || !toldToAskAgain.has(error.code) || asks > 5) throw error;
        codes.add(error.code);
        tell();
        await sleep(50);
      }
    }
  };
  const fetches: Promise<string>[] = [];
  const start = (): void => {
    const work = fetch(`outage-${fetches.length}`);
    work.catch(() => {});
    fetches.push(work);
  };
  for (let n = 0; n < 10; n++) start();
  await Promise.all(fetches);
  // These are open when it begins, and fetch while it lasts.
  for (let n = 10; n < 30; n++) await engine.openBuild({ id: `outage-${n}` });
  const over = outage(isTold).finally(() => (state.isHealed = true));
  while (!state.isHealed) {
    if (fetches.length < 60) start();
    await sleep(25);
  }
  await over;
  for (let n = 0; n < 5; n++) start();
  const ended = await Promise.all(fetches);

  const lost: string[] = [];
  for (const [stream, ids] of acknowledged) {
    const stored = (await eventLog.read(stream)).map(({ id }) => id);
    lost.push(...ids.filter((id) => stored.filter((each) => each === id).length !== 1));
  }
  await engine.project();
  for (const id of ended) expect(await readModel.imagesOfBuild(id)).toMatchObject([{ state: "short-circuited" }]);
  await engine.close();
  return { told: [...codes], lost };
}

const toldToAskAgain: ReadonlySet<string> = new Set([
  "FI_STORE_UNAVAILABLE",
  "FI_STORE_FULL",
  "FI_APPEND_OUTCOME_UNKNOWN",
  "FI_WRONG_EXPECTED_REVISION",
]);
