import { createPostgresEventLog, createPostgresSql, openPostgresStore } from "@fetch-image/store/postgres";
import { Pool } from "pg";
import { Client } from "pg";
import { expect, test, vi } from "vitest";
import { codeOf, namedFact, someFacts } from "../conformance/facts.ts";
import { pgBouncerMissing, startPgBouncer } from "../support/pgbouncer.ts";
import { databaseForEach } from "./database-for-each.ts";
import { startTcpProxy } from "./tcp-proxy.ts";

vi.setConfig({ testTimeout: 60_000 });

const database = databaseForEach();

/** Does something while another writer keeps the append lock. */
async function whileLocked<T>(work: () => Promise<T>): Promise<T> {
  await using client = await database.rawClient();
  await client.query(
    "begin; select * from fetch_image.append_one('other', -1, array[gen_random_uuid()], array['T'], array['{}']::json[], array['{}']::json[])",
  );
  return await work();
}

async function waitingForTheLock(atLeast: number): Promise<void> {
  await using client = await database.rawClient();
  await vi.waitFor(async () => {
    const { rowCount } = await client.query("select from pg_locks where locktype = 'advisory' and not granted");
    expect(rowCount).toBeGreaterThanOrEqual(atLeast);
  });
}

const aTurn = () => new Promise((resolve) => setImmediate(resolve));

type Log = ReturnType<typeof createPostgresEventLog>;

/** Two batches of appends, the second one begun while the first one waits for the append lock. */
async function twoBatches(log: Log): Promise<readonly Promise<string>[]> {
  const appended = (stream: string) => codeOf(log.append(stream, "no-stream", [namedFact(stream)]));
  const first = [appended("build-a"), appended("build-b")];
  await waitingForTheLock(1);
  const second = [appended("build-c"), appended("build-d")];
  await aTurn();
  await aTurn();
  return [...first, ...second];
}

test("the next batch is on its way while one is being stored: what breaks their connection is unknown to both", async () => {
  await using proxy = await startTcpProxy(database.server.port);
  await using store = await openPostgresStore({ connectionString: database.through(proxy.port), pipeline: true });
  await whileLocked(async () => {
    const outcomes = await twoBatches(store.eventLog);
    proxy.cut();
    expect(await Promise.all(outcomes)).toEqual(Array.from(outcomes, () => "FI_APPEND_OUTCOME_UNKNOWN"));
  });
  for (const stream of ["build-a", "build-b", "build-c", "build-d"]) {
    expect(await codeOf(store.eventLog.append(stream, "no-stream", [namedFact(stream)]))).toBe("fulfilled");
    expect(await store.eventLog.read(stream)).toHaveLength(1);
  }
});

test("both are stored in the order in which they were sent, on one connection", async () => {
  await using store = await openPostgresStore({ connectionString: database.url, pipeline: true });
  const outcomes = await whileLocked(() => twoBatches(store.eventLog));
  expect(await Promise.all(outcomes)).toEqual(Array.from(outcomes, () => "fulfilled"));
  const { facts } = await store.eventLog.readAll({ limit: 10 });
  expect(facts.map(({ stream }) => stream)).toEqual(["build-a", "build-b", "build-c", "build-d"]);
  const { rows } = await store.sql.query(
    "select count(*)::int4 as n from pg_stat_activity where query ilike '%append_fitting%' or query ilike '%locked_and_fitting%' and pid <> pg_backend_pid()",
  );
  expect(rows).toEqual([{ n: 1 }]);
});

test("one that the server ends for taking too long is nothing to the one behind it, which has its time for itself", async () => {
  await using store = await openPostgresStore({ connectionString: database.url, timeoutMs: 1000, pipeline: true });
  await whileLocked(async () => {
    const outcomes = await twoBatches(store.eventLog);
    // The server's word, and so not unknown: nothing was stored.
    expect(await Promise.all(outcomes)).toEqual(Array.from(outcomes, () => "FI_STORE_UNAVAILABLE"));
  });
});

test("a server that never answers has the connection ended, with all that is under way there", async () => {
  await using proxy = await startTcpProxy(database.server.port);
  await using store = await openPostgresStore({
    connectionString: database.through(proxy.port),
    timeoutMs: 500,
    pipeline: true,
  });
  const outcomes = await whileLocked(async () => {
    const sent = await twoBatches(store.eventLog);
    proxy.answers = "keep";
    return sent;
  });
  expect(await Promise.all(outcomes)).toEqual(Array.from(outcomes, () => "FI_APPEND_OUTCOME_UNKNOWN"));
  proxy.answers = "pass";
  expect(await codeOf(store.eventLog.append("build-e", "no-stream", someFacts(1)))).toBe("fulfilled");
});

test("a statement behind one that could not be prepared is done all the same, and other connections go on preparing", async () => {
  await using raw = await database.rawClient();
  await raw.query("create table numbers (n int4)");
  await raw.query("begin; lock table numbers");
  const sql = createPostgresSql({ connectionString: database.url, poolSize: 1, pipeline: true });
  const count = async () =>
    (await sql.queryInLine?.("select count(*)::int4 as n from numbers where n > $1", [0], { name: "count" }))?.rows;
  const outcomes = Promise.allSettled([count(), count()]);
  await using operator = await database.rawClient();
  await vi.waitFor(async () => {
    const { rowCount } = await operator.query(
      "select pg_cancel_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'fetch-image'",
    );
    expect(rowCount).toBe(1);
  });
  await raw.query("rollback");
  expect(await outcomes).toMatchObject([
    { status: "rejected", reason: { kind: "answered", sqlState: "57014" } },
    { status: "fulfilled", value: [{ n: 0 }] },
  ]);

  await operator.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fetch-image'");
  await vi.waitFor(async () => {
    expect(await count()).toEqual([{ n: 0 }]);
    expect((await sql.query("select name from pg_prepared_statements")).rows).toEqual([{ name: "count" }]);
  }, 30_000);
  await sql.close();
});

test.each([true, false])(
  "a host's pool serves as it is, in pipeline mode (%s) or not, and has its connection back when all is answered",
  async (pipeline) => {
    const pool = new Pool({ connectionString: database.url, max: 1, pipeline });
    const log = createPostgresEventLog({ pool });
    await log.append("build-0", "no-stream", someFacts(1));
    const outcomes = await whileLocked(() => twoBatches(log));
    expect(await Promise.all(outcomes)).toEqual(Array.from(outcomes, () => "fulfilled"));
    expect((await log.readAll({ limit: 10 })).facts).toHaveLength(5);
    expect((await pool.query("select count(*)::int from fetch_image.events")).rows).toEqual([{ count: 5 }]);
    expect(pool).toMatchObject({ totalCount: 1, idleCount: 1 });
    await log.close();
    await pool.end();
  },
);

test("behind a pooler a connection has one batch at a time: it would give the answer still to come to somebody else", async ({
  skip,
}) => {
  const noPooler = pgBouncerMissing();
  if (noPooler !== undefined) skip(noPooler);
  await using pooler = await startPgBouncer(database.server.port, { mode: "transaction", poolSize: 5 });
  await using store = await openPostgresStore({ connectionString: pooler.through(database.url), pipeline: true });
  const outcomes = await whileLocked(async () => {
    const sent = await twoBatches(store.eventLog);
    // Each on a connection of its own.
    await waitingForTheLock(2);
    return sent;
  });
  expect(await Promise.all(outcomes)).toEqual(Array.from(outcomes, () => "fulfilled"));
});

test("behind a pooler, of a database whose isolation level is another, appends are taken on whatever connection they meet", async ({
  skip,
}) => {
  const noPooler = pgBouncerMissing();
  if (noPooler !== undefined) skip(noPooler);
  await using client = await database.rawClient();
  const name = new URL(database.url).pathname.slice(1);
  await client.query(`alter database ${name} set default_transaction_isolation = 'serializable'`);
  await using pooler = await startPgBouncer(database.server.port, { mode: "transaction", poolSize: 3 });
  const connectionString = pooler.through(database.url);
  await using store = await openPostgresStore({ connectionString });
  const lastRevision = async (expected: "no-stream" | bigint) =>
    (await store.eventLog.append("build-1", expected, someFacts(1))).revision;
  expect(await lastRevision("no-stream")).toBe(0n);
  const another = new Client({ connectionString });
  await another.connect();
  // It has the server's connection on which the append was prepared.
  await another.query("begin");
  expect(await lastRevision(0n)).toBe(1n);
  await another.query("rollback");
  await another.end();
  expect(await lastRevision(1n)).toBe(2n);
});
