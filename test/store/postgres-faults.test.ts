import { createPostgresEventLog, createPostgresSql, openPostgresStore } from "@fetch-image/store/postgres";
import { Pool } from "pg";
import { describe, expect, test, vi } from "vitest";
import { aFact, codeOf, errorOf, idsOf, someFacts } from "../conformance/facts.ts";
import { follow } from "../conformance/follower.ts";
import { databaseForEach } from "./database-for-each.ts";
import { startTcpProxy } from "./tcp-proxy.ts";

vi.setConfig({ testTimeout: 60_000 });

const database = databaseForEach();

describe("what an append that fails tells its caller", () => {
  test("a server that cannot be reached: nothing was stored, and the error names it without the password", async () => {
    const nobody = database.through(1).replace("postgres@", "postgres:hunter2@");
    const log = createPostgresEventLog({ connectionString: nobody });
    const error = await errorOf(log.append("build-1", "no-stream", [aFact()]));
    expect(error).toMatchObject({ code: "FI_STORE_UNAVAILABLE", retryable: true });
    expect(error?.message).toContain("127.0.0.1:1");
    const everything = `${error?.stack}${JSON.stringify(error)}${JSON.stringify(error?.cause)}${String(error?.cause)}`;
    expect(everything).not.toContain("hunter2");
    await log.close();
  });

  test("a URL that is none tells nothing of what it held", async () => {
    const error = await errorOf(openPostgresStore({ connectionString: "postgres://me:hunter2@[bad/url" }));
    expect(error?.code).toBe("FI_STORE_UNAVAILABLE");
    expect(`${error?.stack}${JSON.stringify(error)}${String(error?.cause)}`).not.toContain("hunter2");
  });

  test("a database or user that does not exist is told with what to do", async () => {
    const nowhere = await errorOf(openPostgresStore({ connectionString: database.url.replace(/[^/]+$/, "nowhere") }));
    expect(nowhere).toMatchObject({
      code: "FI_STORE_UNAVAILABLE",
      hint: expect.stringContaining("Create the database"),
    });
    const user = await errorOf(openPostgresStore({ connectionString: database.url.replace("postgres@", "stranger@") }));
    expect(user).toMatchObject({ code: "FI_STORE_UNAVAILABLE", hint: expect.stringContaining("user") });
  });

  test("an answer lost after the commit: unknown; the same append again is answered as the first time", async () => {
    await using proxy = await startTcpProxy(database.server.port);
    await using store = await openPostgresStore({ connectionString: database.through(proxy.port) });
    const facts = someFacts(2);
    proxy.answers = "cut";
    const error = await errorOf(store.eventLog.append("build-1", "no-stream", facts));
    expect(error).toMatchObject({ code: "FI_APPEND_OUTCOME_UNKNOWN", retryable: true });
    proxy.answers = "pass";
    await vi.waitFor(async () => expect(await store.eventLog.read("build-1")).toHaveLength(2));
    expect(await store.eventLog.append("build-1", "no-stream", facts)).toMatchObject({ revision: 1n });
    expect(idsOf(await store.eventLog.read("build-1"))).toEqual(idsOf(facts));
  });

  test("an answer lost to a whole batch: unknown to each of them, and each can be repeated", async () => {
    await using proxy = await startTcpProxy(database.server.port);
    await using store = await openPostgresStore({ connectionString: database.through(proxy.port) });
    const batch = Array.from({ length: 10 }, (_, n) => ({ stream: `build-${n}`, facts: someFacts(1) }));
    const appendAll = (): Promise<string[]> =>
      Promise.all(batch.map(({ stream, facts }) => codeOf(store.eventLog.append(stream, "no-stream", facts))));
    proxy.answers = "cut";
    expect(new Set(await appendAll())).toEqual(new Set(["FI_APPEND_OUTCOME_UNKNOWN"]));
    proxy.answers = "pass";
    expect(new Set(await appendAll())).toEqual(new Set(["fulfilled"]));
    expect((await store.eventLog.readAll({ limit: 100 })).facts).toHaveLength(10);
  });

  test("a server that never answers: unknown, after the time it was given, and the next append is not held up", async () => {
    await using proxy = await startTcpProxy(database.server.port);
    await using store = await openPostgresStore({ connectionString: database.through(proxy.port), timeoutMs: 300 });
    const [known] = someFacts(1);
    await store.eventLog.append("build-0", "no-stream", known === undefined ? [] : [known]);
    proxy.answers = "keep";
    const started = performance.now();
    expect(await codeOf(store.eventLog.append("build-1", "no-stream", [aFact()]))).toBe("FI_APPEND_OUTCOME_UNKNOWN");
    expect(performance.now() - started).toBeLessThan(10_000);
    proxy.answers = "pass";
    expect(await codeOf(store.eventLog.append("build-2", "no-stream", [aFact()]))).toBe("fulfilled");
  });

  test("a backend that is terminated in the middle: unknown, nothing stored, and the same append again is taken", async () => {
    await using store = await openPostgresStore({ connectionString: database.url });
    await using holder = await database.rawClient();
    await holder.query(
      "begin; select * from fetch_image.append_one('other', -1, array[gen_random_uuid()], array['T'], array['{}']::json[], array['{}']::json[])",
    );
    const facts = someFacts(1);
    const append = codeOf(store.eventLog.append("build-1", "no-stream", facts));
    await using killer = await database.rawClient();
    await vi.waitFor(async () => {
      const { rowCount } = await killer.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'fetch-image'",
      );
      expect(rowCount).toBe(1);
    });
    expect(await append).toBe("FI_APPEND_OUTCOME_UNKNOWN");
    await holder.query("rollback");
    expect(await store.eventLog.read("build-1")).toEqual([]);
    expect(await store.eventLog.append("build-1", "no-stream", facts)).toMatchObject({ revision: 0n });
  });

  test("a statement that the server cancels: nothing was stored", async () => {
    await using store = await openPostgresStore({ connectionString: database.url });
    await using holder = await database.rawClient();
    await holder.query(
      "begin; select * from fetch_image.append_one('other', -1, array[gen_random_uuid()], array['T'], array['{}']::json[], array['{}']::json[])",
    );
    const append = codeOf(store.eventLog.append("build-1", "no-stream", someFacts(1)));
    await using canceller = await database.rawClient();
    await vi.waitFor(async () => {
      const { rowCount } = await canceller.query(
        "select pg_cancel_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'fetch-image'",
      );
      expect(rowCount).toBe(1);
    });
    expect(await append).toBe("FI_STORE_UNAVAILABLE");
    await holder.query("rollback");
    expect(await store.eventLog.read("build-1")).toEqual([]);
  });

  test.each(["a pool of our own", "a host's pool"])(
    "a transaction whose end was never answered leaves its connection to nobody, in %s",
    async (whose) => {
      await using proxy = await startTcpProxy(database.server.port);
      const connectionString = database.through(proxy.port);
      const pool = new Pool({ connectionString, max: 1 });
      const sql = createPostgresSql({
        ...(whose === "a host's pool" ? { pool } : { connectionString, poolSize: 1 }),
        timeoutMs: 1000,
      });
      const failed = sql.transaction(async (tx) => {
        await tx.query("create table of_the_transaction ()");
        proxy.answers = "keep";
        throw new Error("what it was for has failed");
      });
      await expect(failed).rejects.toThrow("what it was for has failed");
      proxy.answers = "pass";
      expect((await sql.query("select to_regclass('of_the_transaction') as made")).rows).toEqual([{ made: null }]);
      await sql.close();
      await pool.end();
    },
  );

  test("a transaction of which a statement was never answered is not waited for once more to be rolled back", async () => {
    await using proxy = await startTcpProxy(database.server.port);
    const pool = new Pool({ connectionString: database.through(proxy.port), max: 1 });
    const sent: string[] = [];
    pool.on("connect", (client) => {
      const query = client.query.bind(client) as (...statement: [{ text: string }, () => void]) => void;
      client.query = ((...[statement, done]: [{ text: string }, () => void]) => {
        sent.push(statement.text);
        query(statement, done);
      }) as typeof client.query;
    });
    const sql = createPostgresSql({ pool, timeoutMs: 1000 });
    const failed = sql.transaction(async (tx) => {
      proxy.answers = "keep";
      await tx.query("select 1").catch(() => {
        throw new Error("in other words");
      });
    });
    await expect(failed).rejects.toThrow("in other words");
    expect(sent.slice(1)).toEqual(["select 1"]);
    proxy.answers = "pass";
    expect((await sql.query("select 2 as n")).rows).toEqual([{ n: 2 }]);
    await sql.close();
    await pool.end();
  });

  test("a host's pool is used, its settings left alone, and not ended", async () => {
    const pool = new Pool({ connectionString: database.url, max: 1 });
    const log = createPostgresEventLog({ pool });
    const follower = follow(log);
    await Promise.all(Array.from({ length: 5 }, (_, n) => log.append(`build-${n}`, "no-stream", someFacts(1))));
    await follower.reached(5);
    await follower.stop();
    await log.close();
    expect((await pool.query("select count(*) from fetch_image.events")).rows).toEqual([{ count: "5" }]);
    expect(pool.listenerCount("error")).toBe(0);
    await pool.end();
  });
});

describe("subscriptions", () => {
  /** As a writer in another process, slow to commit. */
  const appendOne = (stream: string, id: string): string => `
    select outcome from fetch_image.append_one(
      '${stream}', -1, array['${id}'::uuid], array['Slow'], array['{}']::json[], array['{}']::json[])`;

  test("a slow transaction that holds the lock never makes a reader skip what it commits late", async () => {
    await using store = await openPostgresStore({ connectionString: database.url, pollMs: 250 });
    await using slow = await database.rawClient();
    await using quick = await database.rawClient();
    const follower = follow(store.eventLog);
    await follower.caughtUp();
    const [first, second, third] = [aFact(), aFact(), aFact()];
    await slow.query("begin");
    await slow.query(appendOne("slow", first.id));
    // Both come later, and must wait: whoever saw them first would never see the other.
    const waiting = quick.query(appendOne("quick", second.id));
    const appending = store.eventLog.append("mine", "no-stream", [third]);
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(follower.facts).toEqual([]);
    expect((await store.eventLog.readAll({ limit: 10 })).facts).toEqual([]);
    await slow.query("commit");
    await Promise.all([waiting, appending]);
    await follower.reached(3);
    await follower.stop();
    expect(idsOf(follower.facts)[0]).toBe(first.id);
    expect(new Set(idsOf(follower.facts))).toEqual(new Set([first.id, second.id, third.id]));
    expect(idsOf((await store.eventLog.readAll({ limit: 10 })).facts)).toEqual(idsOf(follower.facts));
  });

  test("positions that a rolled back transaction took are left out, and nothing is waited for", async () => {
    await using store = await openPostgresStore({ connectionString: database.url });
    await using slow = await database.rawClient();
    const follower = follow(store.eventLog);
    await slow.query("begin");
    await slow.query(appendOne("slow", aFact().id));
    await slow.query("rollback");
    const facts = someFacts(2);
    await store.eventLog.append("build-1", "no-stream", facts);
    await follower.reached(2);
    await follower.stop();
    expect(idsOf(follower.facts)).toEqual(idsOf(facts));
  });

  test("what another process appends is seen, told by NOTIFY long before the next look", async () => {
    await using reading = await openPostgresStore({ connectionString: database.url, pollMs: 60_000 });
    await using writing = await openPostgresStore({ connectionString: database.url });
    const follower = follow(reading.eventLog);
    await follower.caughtUp();
    // The first wait is what starts to listen.
    await vi.waitFor(async () => {
      await using raw = await database.rawClient();
      const { rowCount } = await raw.query("select 1 from pg_stat_activity where query ilike 'listen%'");
      expect(rowCount).toBeGreaterThan(0);
    });
    const started = performance.now();
    await writing.eventLog.append("build-1", "no-stream", someFacts(1));
    await follower.reached(1);
    expect(performance.now() - started).toBeLessThan(10_000);
    await follower.stop();
  });

  test("where NOTIFY does not come through, looking finds everything", async () => {
    const real = createPostgresSql({ connectionString: database.url });
    const log = createPostgresEventLog({
      sql: {
        name: real.name,
        query: (text, parameters, options) => real.query(text, parameters, options),
        script: (text) => real.script(text),
        transaction: (work) => real.transaction(work),
        listen: () => Promise.reject(new Error("this pooler has no LISTEN")),
        close: () => real.close(),
      },
      pollMs: 250,
    });
    const follower = follow(log);
    await follower.caughtUp();
    await log.append("build-1", "no-stream", someFacts(2));
    await follower.reached(2);
    expect(follower.facts).toHaveLength(2);
    await follower.stop();
    await log.close();
    await real.close();
  });

  test("they go on over broken connections, a restarted server, and miss and repeat nothing", async () => {
    await using proxy = await startTcpProxy(database.server.port);
    await using reading = await openPostgresStore({ connectionString: database.through(proxy.port), pollMs: 250 });
    await using writing = await openPostgresStore({ connectionString: database.url });
    const all = follow(reading.eventLog);
    const some = follow(reading.eventLog, { filter: { stream: "build-0" } });
    await writing.eventLog.append("build-0", "no-stream", someFacts(3));
    await all.reached(3);
    proxy.cut();
    await writing.eventLog.append("build-1", "no-stream", someFacts(3));
    await all.reached(6);
    await database.server.halt("immediate");
    await database.server.start();
    for (
      let n = 2;
      (await codeOf(writing.eventLog.append("build-2", "no-stream", someFacts(1)))) !== "fulfilled";
      n++
    ) {
      expect(n).toBeLessThan(100);
    }
    await writing.eventLog.append("build-0", 2n, someFacts(2));
    await all.reached(9);
    await some.reached(5);
    await all.stop();
    await some.stop();
    expect(idsOf(all.facts)).toEqual(idsOf((await reading.eventLog.readAll({ limit: 100 })).facts));
    expect(idsOf(some.facts)).toEqual(idsOf(await reading.eventLog.read("build-0")));
  });

  test("all subscriptions of a log share one connection that listens", async () => {
    await using store = await openPostgresStore({ connectionString: database.url });
    const followers = Array.from({ length: 10 }, () => follow(store.eventLog));
    await Promise.all(followers.map((follower) => follower.caughtUp()));
    await store.eventLog.append("build-1", "no-stream", someFacts(1));
    await Promise.all(followers.map((follower) => follower.reached(1)));
    await using raw = await database.rawClient();
    const { rowCount } = await raw.query(
      "select 1 from pg_stat_activity where query ilike 'listen%' and datname = current_database()",
    );
    expect(rowCount).toBe(1);
    await Promise.all(followers.map((follower) => follower.stop()));
  });
});
