import { type Sql, SqlError } from "@fetch-image/store/postgres";
import { describe, expect } from "vitest";
import { type Check, contract, type UnderTest } from "./under-test.ts";

/** Everything that packages/store/src/sql/sql.ts promises, of one driver. */
export function sqlContract(name: string, driver: UnderTest<Sql>): void {
  describe(`SQL through ${name}`, () => {
    contract("values", driver, valueContract);
    contract("errors", driver, errorContract);
    contract("transactions", driver, transactionContract);
    contract("notifications", driver, notificationContract);
  });
}

function valueContract(check: Check<Sql>): void {
  check("int8 is text, other types are what the port says", async (sql) => {
    const { rows } = await sql.query(
      `select 9007199254740993::int8 as int8, 1::int8 as small, 7::int4 as int4, true as yes, false as no,
        '{"b":1,"a":[null]}'::json as json, 'x'::text as text, null::int8 as nothing,
        '5f1e7d54-0c1c-5d07-8d0a-000000000001'::uuid as uuid, count(*) as count from generate_series(1, 3)`,
    );
    expect(rows).toEqual([
      {
        int8: "9007199254740993",
        small: "1",
        int4: 7,
        yes: true,
        no: false,
        json: { b: 1, a: [null] },
        text: "x",
        nothing: null,
        uuid: "5f1e7d54-0c1c-5d07-8d0a-000000000001",
        count: "3",
      },
    ]);
  });

  check("parameters arrive as they were given", async (sql) => {
    const text = 'it\'s "quoted" \\ $1 🚀 \n';
    const { rows } = await sql.query(
      "select $1::text as text, $2::int8 as int8, $3::int4 as int4, $4::bool as bool, $5::text as none, $6::json as json",
      [text, "9223372036854775807", 42, true, null, '{"z":1,"a":"\\u0000"}'],
    );
    expect(rows).toEqual([
      { text, int8: "9223372036854775807", int4: 42, bool: true, none: null, json: { z: 1, a: "\0" } },
    ]);
  });

  check("bytes are an array in PostgreSQL's binary form", async (sql) => {
    // One dimension, no nulls, int4, two elements from 1: 256 and 7.
    const array = Buffer.from("000000010000000000000017000000020000000100000004000001000000000400000007", "hex");
    const { rows } = await sql.query("select ($1::int4[])[1] + ($1::int4[])[2] as sum", [array]);
    expect(rows).toMatchObject([{ sum: 263 }]);
  });

  check("a statement with a name can be given again and again", async (sql) => {
    for (let n = 0; n < 10; n++) {
      const { rows } = await sql.query("select $1::int4 * 2 as twice", [n], { name: "twice" });
      expect(rows).toEqual([{ twice: n * 2 }]);
    }
  });

  check("a script runs statement after statement", async (sql) => {
    await sql.script(
      "create temporary table script (n int); insert into script values (1); insert into script values (2);",
    );
    await sql.script("drop table if exists script");
    expect((await sql.query("select 1::int4 as one")).rows).toEqual([{ one: 1 }]);
  });

  check("it says where it is, without a password", async (sql) => {
    expect(sql.name).not.toBe("");
    expect(sql.name).not.toMatch(/password|@/);
  });
}

const failures: readonly (readonly [name: string, text: string, parameters: readonly string[], sqlState: string])[] = [
  ["a missing table", "select * from missing where a = $1", ["1"], "42P01"],
  ["a syntax error", "selekt $1", ["1"], "42601"],
  ["a wrong value", "select $1::int4 as n", ["seven"], "22P02"],
  ["a division by zero", "select 1 / $1::int4 as n", ["0"], "22012"],
  ["an error of its own", "do $$ begin raise exception 'no' using errcode = 'FI001'; end $$", [], "FI001"],
];

function errorContract(check: Check<Sql>): void {
  for (const [name, text, parameters, sqlState] of failures) {
    check(`${name} rejects with its SQLSTATE, and does not disturb the next queries`, async (sql) => {
      const work = [
        sql.query("select $1::int4 as n", [1]),
        sql.query(text, parameters),
        sql.query("select $1::int4 as n", [2]),
        sql.query(text, parameters),
        sql.query("select $1::int4 as n", [3]),
      ];
      const outcomes = await Promise.all(
        work.map((query) =>
          query.then(
            ({ rows }) => rows[0],
            (error: unknown) => error,
          ),
        ),
      );
      expect([outcomes[0], outcomes[2], outcomes[4]]).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
      for (const error of [outcomes[1], outcomes[3]]) {
        expect(error).toBeInstanceOf(SqlError);
        expect(error).toMatchObject({ kind: "answered", sqlState });
      }
      for (let n = 0; n < 20; n++) {
        expect((await sql.query("select $1::int4 as n", [n])).rows).toEqual([{ n }]);
      }
    });
  }

  check("an error tells nothing of the values that were sent", async (sql) => {
    const error: unknown = await sql
      .query("select $1::int4 / 0 as n, $2::text as t", [1, "hunter2"])
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(SqlError);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("hunter2");
  });
}

function transactionContract(check: Check<Sql>): void {
  check("a transaction is kept when its work resolves", async (sql) => {
    await sql.script("drop table if exists kept; create table kept (n int4)");
    const result = await sql.transaction(async (tx) => {
      await tx.query("insert into kept values ($1)", [1]);
      await tx.script("insert into kept values (2); insert into kept values (3)");
      return (await tx.query("select count(*)::int4 as n from kept")).rows[0]?.["n"];
    });
    expect(result).toBe(3);
    expect((await sql.query("select n from kept order by n")).rows).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  check(
    "a transaction leaves nothing when its work rejects, for whatever reason, and the next one is not hurt",
    async (sql) => {
      await sql.script("drop table if exists undone; create table undone (n int4 primary key)");
      const failing = [
        () => Promise.reject(new Error("changed my mind")),
        () => sqlFailure,
        () => Promise.reject(new SqlError("answered", "of my own")),
      ];
      let sqlFailure: Promise<unknown> = Promise.resolve();
      for (const [index, fail] of failing.entries()) {
        const work = sql.transaction(async (tx) => {
          await tx.query("insert into undone values ($1)", [index]);
          if (index === 1) sqlFailure = tx.query("insert into undone values ($1)", [index]);
          await fail();
        });
        await expect(work).rejects.toThrow(/changed my mind|duplicate key|of my own/);
        expect((await sql.query("select * from undone")).rows).toEqual([]);
      }
    },
  );

  check("a transaction whose failed statement was ignored is not taken for committed", async (sql) => {
    await sql.script("drop table if exists ignored; create table ignored (n int4)");
    const work = sql.transaction(async (tx) => {
      await tx.query("insert into ignored values (1)");
      await tx.query("select 1 / $1::int4", [0]).catch(() => undefined);
    });
    await expect(work).rejects.toMatchObject({ kind: "answered", sqlState: "25P02" });
    expect((await sql.query("select * from ignored")).rows).toEqual([]);
  });

  check("others see nothing of a transaction before it commits", async (sql) => {
    await sql.script("drop table if exists hidden; create table hidden (n int4)");
    let look = (): void => undefined;
    const inserted = new Promise<void>((resolve) => (look = resolve));
    const order: string[] = [];
    const transaction = sql.transaction(async (tx) => {
      await tx.query("insert into hidden values (1)");
      look();
      await new Promise((resolve) => setTimeout(resolve, 50));
      await tx.query("insert into hidden values (2)");
      order.push("committing");
    });
    await inserted;
    const seen = sql.query("select count(*)::int4 as n from hidden").then(({ rows }) => rows[0]?.["n"]);
    await transaction;
    // Seen before it committed, nothing; where there is one connection, afterwards, everything.
    expect([0, 2]).toContain(await seen);
    expect(order).toEqual(["committing"]);
  });
}

function notificationContract(check: Check<Sql>): void {
  check("what is notified on a channel is heard, until that is ended", async (sql) => {
    let heard = 0;
    let wake = (): void => undefined;
    const stop = await sql.listen("test_channel", () => {
      heard++;
      wake();
    });
    for (let n = 1; n <= 3; n++) {
      const woken = new Promise<void>((resolve) => (wake = resolve));
      await sql.query("select pg_notify('test_channel', $1)", [String(n)]);
      await woken;
      expect(heard).toBe(n);
    }
    await sql.query("select pg_notify('another_channel', '')");
    await stop();
    await sql.query("select pg_notify('test_channel', '')");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).toBe(3);
  });
}

/** Of a driver that may be closed for good. */
export async function expectRefusedAfterClose(sql: Sql): Promise<void> {
  await sql.query("select 1");
  await sql.close();
  await expect(sql.query("select 1")).rejects.toMatchObject({ kind: "refused" });
  await expect(sql.transaction(async (tx) => tx.query("select 1"))).rejects.toMatchObject({ kind: "refused" });
}
