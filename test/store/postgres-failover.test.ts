import { chownSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { openPostgresStore } from "@fetch-image/store/postgres";
import { Client } from "pg";
import { describe, expect, test, vi } from "vitest";
import { aFact, codeOf, errorOf, idsOf, someFacts } from "../conformance/facts.ts";
import { follow } from "../conformance/follower.ts";
import { startPostgres } from "../support/postgres.ts";
import { databaseForEach } from "./database-for-each.ts";

vi.setConfig({ testTimeout: 60_000 });

const database = databaseForEach();

const appendOne = (stream: string): string => `
  select outcome from fetch_image.append_one(
    '${stream}', -1, array[gen_random_uuid()], array['Raw'], array['{}']::json[], array['{}']::json[])`;

describe("connections", () => {
  test("there are as many as the pool may have, named so that the server's list tells whose they are", async () => {
    await using store = await openPostgresStore({ connectionString: database.url, poolSize: 3 });
    await Promise.all(Array.from({ length: 40 }, () => store.sql.query("select pg_sleep(0.01)")));
    await using raw = await database.rawClient();
    const { rows } = await raw.query(
      "select count(*)::int as n from pg_stat_activity where application_name = 'fetch-image' and datname = current_database()",
    );
    expect(rows).toEqual([{ n: 3 }]);
  });

  test("who waits for one too long is told so, and nothing was done", async () => {
    await using store = await openPostgresStore({ connectionString: database.url, poolSize: 2, connectTimeoutMs: 200 });
    await using holder = await database.rawClient();
    await holder.query("begin; lock table fetch_image.events");
    const held = [1, 2].map(() => store.sql.query("select count(*) from fetch_image.events"));
    const error = await errorOf(store.eventLog.append("build-1", "no-stream", someFacts(1)));
    expect(error).toMatchObject({ code: "FI_STORE_UNAVAILABLE", retryable: true });
    expect(error?.message).toContain("none of its 2 connections became free within 200 ms");
    await holder.query("rollback");
    await Promise.all(held);
    expect(await codeOf(store.eventLog.append("build-1", "no-stream", someFacts(1)))).toBe("fulfilled");
  });

  test("the server ends by itself what takes too long, before anybody gives the connection up: nothing was done", async () => {
    await using store = await openPostgresStore({ connectionString: database.url, timeoutMs: 1000 });
    const show = async (name: string) => (await store.sql.query(`show ${name}`)).rows[0]?.[name];
    expect(await show("statement_timeout")).toBe("900ms");
    expect(await show("idle_in_transaction_session_timeout")).toBe("1s");
    await expect(store.sql.query("select pg_sleep(20)")).rejects.toMatchObject({ kind: "answered", sqlState: "57014" });
    await using holder = await database.rawClient();
    await holder.query(`begin; ${appendOne("other")}`);
    expect(await codeOf(store.eventLog.append("build-1", "no-stream", someFacts(1)))).toBe("FI_STORE_UNAVAILABLE");
    await holder.query("rollback");
    expect((await store.eventLog.readAll({ limit: 10 })).facts).toEqual([]);
  });

  test("a pooler that takes no such limits is used without them", async () => {
    await using pooler = await startFussyPooler(database.server.port);
    await using store = await openPostgresStore({ connectionString: database.through(pooler.port) });
    const follower = follow(store.eventLog);
    await store.eventLog.append("build-1", "no-stream", someFacts(2));
    await follower.reached(2);
    await follower.stop();
    expect(pooler.refused).toBeGreaterThan(0);
  });
});

describe("what the server takes back or refuses for a while", () => {
  test.each(["40001", "40P01"])("an append given up for another's sake (%s) is done again", async (sqlState) => {
    await using store = await openPostgresStore({ connectionString: database.url });
    await using raw = await database.rawClient();
    await raw.query(`
      create sequence tries;
      create function give_up() returns trigger language plpgsql as $$ begin
        if nextval('tries') <= 2 then raise exception 'given up' using errcode = '${sqlState}'; end if;
        return new;
      end $$;
      create trigger give_up before insert on fetch_image.events for each row execute function give_up()`);
    const facts = someFacts(1);
    expect(await store.eventLog.append("build-1", "no-stream", facts)).toMatchObject({ revision: 0n });
    expect(idsOf(await store.eventLog.read("build-1"))).toEqual(idsOf(facts));
  });

  test("a server that takes no writes is not kept: once it does, or another is at its address, they go on", async () => {
    await using store = await openPostgresStore({ connectionString: database.url, poolSize: 4 });
    await using raw = await database.rawClient();
    await raw.query(
      "alter database " + new URL(database.url).pathname.slice(1) + " set default_transaction_read_only = on",
    );
    await raw.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fetch-image' and datname = current_database()",
    );
    // All four are open now, and none of them can ever write.
    await vi.waitFor(() => Promise.all([1, 2, 3, 4].map(() => store.sql.query("select pg_sleep(0.05)"))));
    const facts = someFacts(1);
    const refused = await errorOf(store.eventLog.append("build-1", "no-stream", facts));
    expect(refused).toMatchObject({ code: "FI_STORE_UNAVAILABLE", retryable: true });
    expect(refused?.hint).toContain("primary");
    await raw.query("set default_transaction_read_only = off");
    await raw.query(
      "alter database " + new URL(database.url).pathname.slice(1) + " reset default_transaction_read_only",
    );
    expect(await codeOf(store.eventLog.append("build-1", "no-stream", facts))).toBe("fulfilled");
  });

  test("a standby is neither written nor read, unless the URL says so; promoted, it is", async () => {
    await using own = await startPostgres();
    await using store = await openPostgresStore({ connectionString: own.url });
    const facts = someFacts(2);
    await store.eventLog.append("build-1", "no-stream", facts);
    await own.halt();
    const signal = join(own.dataDirectory, "standby.signal");
    writeFileSync(signal, "");
    const { uid, gid } = statSync(own.dataDirectory);
    chownSync(signal, uid, gid);
    await own.start();

    const append = () => errorOf(store.eventLog.append("build-1", 1n, someFacts(1)));
    await vi.waitFor(async () => expect((await append())?.message).toContain("standby"));
    expect(await append()).toMatchObject({ code: "FI_STORE_UNAVAILABLE", retryable: true });
    expect(await codeOf(store.eventLog.read("build-1"))).toBe("FI_STORE_UNAVAILABLE");
    await using reader = await openPostgresStore({ connectionString: `${own.url}?target_session_attrs=any` });
    expect(idsOf(await reader.eventLog.read("build-1"))).toEqual(idsOf(facts));
    expect(await codeOf(reader.eventLog.append("build-1", 1n, someFacts(1)))).toBe("FI_STORE_UNAVAILABLE");

    const raw = new Client({ connectionString: own.url });
    raw.on("error", () => undefined);
    await raw.connect();
    await raw.query("select pg_promote()");
    await raw.end();
    expect(await append()).toBeUndefined();
    expect(await store.eventLog.read("build-1")).toHaveLength(3);
    expect(await codeOf(reader.eventLog.append("build-2", "no-stream", someFacts(1)))).toBe("fulfilled");
  });
});

describe("what the append lock is for", () => {
  // Both writers have drawn their positions; the one with the lower commits last.
  async function lateCommit(): Promise<{ readonly seen: readonly string[]; readonly stored: readonly string[] }> {
    await using store = await openPostgresStore({ connectionString: database.url, pollMs: 50 });
    await using slow = await database.rawClient();
    await using quick = await database.rawClient();
    const follower = follow(store.eventLog);
    await follower.caughtUp();
    await slow.query(`begin; ${appendOne("slow")}`);
    const overtaking = quick.query(appendOne("quick"));
    await vi.waitFor(async () => {
      const waiting = await slow.query("select from pg_locks where locktype = 'advisory' and not granted");
      expect(follower.facts.length + (waiting.rowCount ?? 0)).toBeGreaterThan(0);
    }, 30_000);
    await slow.query("commit");
    await overtaking;
    await store.eventLog.append("last", "no-stream", [aFact()]);
    await vi.waitFor(() => expect(follower.facts.map(({ stream }) => stream)).toContain("last"), 30_000);
    await follower.stop();
    const { facts } = await store.eventLog.readAll({ limit: 10 });
    return { seen: follower.facts.map(({ stream }) => stream), stored: facts.map(({ stream }) => stream) };
  }

  test("with it, a follower sees what is committed late", async () => {
    const { seen, stored } = await lateCommit();
    expect(stored).toEqual(["slow", "quick", "last"]);
    expect(seen).toEqual(stored);
  });

  test("without it, the same follower never sees it", async () => {
    await using store = await openPostgresStore({ connectionString: database.url });
    const { rows } = await store.sql.query<{ readonly definition: string }>(
      `select pg_get_functiondef(p.oid) as definition from pg_proc p
       where p.pronamespace = 'fetch_image'::regnamespace and p.proname = 'append_one'`,
    );
    const definition = rows[0]?.definition ?? "";
    const unlocked = definition.replace(/perform pg_advisory_xact_lock[^;]*;/, "");
    expect(unlocked).not.toBe(definition);
    await store.sql.script(unlocked);
    const { seen, stored } = await lateCommit();
    expect(stored).toEqual(["slow", "quick", "last"]);
    expect(seen).toEqual(["quick", "last"]);
  });
});

interface FussyPooler extends AsyncDisposable {
  readonly port: number;
  readonly refused: number;
}

/** Refuses, in PgBouncer's words, a connection that begins with parameters which a shared connection cannot have. */
async function startFussyPooler(target: number): Promise<FussyPooler> {
  let refused = 0;
  const listening = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    for (const socket of [client, upstream]) {
      socket.on("error", () => undefined);
      socket.on("close", () => [client, upstream].forEach((each) => each.destroy()));
    }
    client.once("data", (startup) => {
      if (!startup.includes("_timeout")) {
        upstream.write(startup);
        client.pipe(upstream);
        upstream.pipe(client);
        return;
      }
      refused++;
      const fields = "SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: statement_timeout\0\0";
      const length = Buffer.alloc(4);
      length.writeInt32BE(4 + fields.length);
      client.end(Buffer.concat([Buffer.from("E"), length, Buffer.from(fields)]));
    });
  });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    get refused() {
      return refused;
    },
    [Symbol.asyncDispose]: () => new Promise((resolve) => listening.close(() => resolve())),
  };
}
