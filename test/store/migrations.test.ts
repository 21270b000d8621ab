import { readdirSync, readFileSync } from "node:fs";
import {
  createPostgresEventLog,
  createPostgresReadModel,
  createPostgresSql,
  migrate,
  openPostgresStore,
  type Sql,
} from "@fetch-image/store/postgres";
import { Client } from "pg";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { aFact, codeOf, errorOf } from "../conformance/facts.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../support/postgres.ts";

const missing = postgresMissing();
let server: Promise<TestPostgres> | undefined;
let url = "";
beforeEach(async ({ skip }) => {
  if (missing !== undefined) skip(missing);
  server ??= startPostgres();
  url = await (await server).createDatabase();
});
afterAll(async () => (await server)?.stop());

async function withSql<T>(work: (sql: Sql) => Promise<T>, connectionString = url): Promise<T> {
  const sql = createPostgresSql({ connectionString });
  try {
    return await work(sql);
  } finally {
    await sql.close();
  }
}

describe("the schema", () => {
  test("twenty clients that migrate at once end with one schema, each step applied once", async () => {
    const clients = Array.from({ length: 20 }, () => createPostgresSql({ connectionString: url }));
    await Promise.all(clients.map((sql) => migrate(sql)));
    const applied = await clients[0]?.query("select number, name from fetch_image.migrations order by number");
    expect(applied?.rows.slice(0, 2)).toEqual([
      { number: 1, name: "000001_event_log" },
      { number: 2, name: "000002_read_model" },
    ]);
    await Promise.all(clients.map((sql) => sql.close()));
  });

  test("logs that are used at once before there is a schema all find one", async () => {
    const logs = Array.from({ length: 20 }, () => createPostgresEventLog({ connectionString: url }));
    await Promise.all(logs.map((log, n) => log.append(`build-${n}`, "no-stream", [aFact()])));
    expect((await logs[0]?.readAll({ limit: 100 }))?.facts).toHaveLength(20);
    await Promise.all(logs.map((log) => log.close()));
  });

  test("one of before the audit keeps its rows, and is projected again from the first fact", async () => {
    await withSql(async (sql) => {
      await sql.script(`create schema fetch_image;
        create table fetch_image.migrations (number int primary key, name text not null)`);
      const directory = new URL("../../packages/store/sql/", import.meta.url);
      const files = readdirSync(directory).filter((file) => file.endsWith(".sql") && file < "000005");
      for (const [index, file] of files.toSorted().entries()) {
        const text = readFileSync(new URL(file, directory), "utf8");
        await sql.script(text.replaceAll(":schema", "fetch_image").replaceAll(":channel", "'fetch_image'"));
        await sql.query("insert into fetch_image.migrations values ($1, $2)", [index + 1, file]);
      }
      const reference = `localhost:5000/acme/app:v1@sha256:${"a".repeat(64)}`;
      const image = { fetch_id: "1/image-get", reference, version: '{"tag":"v1"}', state: "short-circuited" };
      const evidence = '{"via":"HEAD","observedAt":"2026-11-22T04:40:01.001Z"}';
      const images = ["1", "2"].map((build_id) => ({ ...image, evidence, build_id }));
      const apply = "select fetch_image.apply_changes('read-model', null, '7', $1, $2, '[]', '[]')";
      await sql.query(apply, ['[{"build_id":"1"},{"build_id":"2"}]', JSON.stringify(images)]);
      await sql.query("update fetch_image.builds set expired_at = now() where build_id = '1'");
      await migrate(sql);
      const readModel = createPostgresReadModel({ sql });
      expect(await readModel.checkpoint()).toBeUndefined();
      const [expired] = await readModel.imagesOfBuild("1");
      const told = { repository: "localhost:5000/acme/app", tag: "v1", observedAt: "2026-11-22T04:40:01.001Z" };
      expect(expired).toMatchObject({ reference, ...told });
      expect(await readModel.imagesOfBuild("2")).toMatchObject([{ reference }]);
      // An older process would leave out what is new.
      await expect(sql.query(apply, ["[]", "[]"])).rejects.toThrow("does not exist");
    });
  });

  test("one that a newer version made is refused, and left as it is", async () => {
    await withSql(async (sql) => {
      await migrate(sql);
      await sql.query("insert into fetch_image.migrations (number, name) values (999999, 'from the future')");
    });
    const error = await errorOf(openPostgresStore({ connectionString: url }));
    expect(error).toMatchObject({ code: "FI_STORE_TOO_NEW", details: { schema: "fetch_image", version: 999_999 } });
    const log = createPostgresEventLog({ connectionString: url });
    expect(await codeOf(log.append("build-1", "no-stream", [aFact()]))).toBe("FI_STORE_TOO_NEW");
    expect(await codeOf(log.read("build-1"))).toBe("FI_STORE_TOO_NEW");
    await log.close();
    await withSql(async (sql) => {
      expect((await sql.query("select * from fetch_image.events")).rows).toEqual([]);
    });
  });

  test("one that is up to date is used by a user who may create nothing", async () => {
    await withSql(async (sql) => {
      await migrate(sql);
      await sql.script(`
        create role reader login;
        revoke create on database ${new URL(url).pathname.slice(1)} from public;
        revoke create on schema public from public;
        grant usage on schema fetch_image to reader;
        grant select, insert, update, delete on all tables in schema fetch_image to reader;
        grant execute on all functions in schema fetch_image to reader;`);
    });
    const log = createPostgresEventLog({ connectionString: url.replace("postgres@", "reader@") });
    expect(await log.append("build-1", "no-stream", [aFact()])).toMatchObject({ revision: 0n });
    await log.close();
  });

  test("a user who may not make one is told which right is missing", async () => {
    await withSql(async (sql) => {
      await sql.script(
        `create role nobody login; revoke create on database ${new URL(url).pathname.slice(1)} from public`,
      );
    });
    const error = await errorOf(openPostgresStore({ connectionString: url.replace("postgres@", "nobody@") }));
    expect(error?.message).toContain("permission denied");
    expect(error?.hint).toContain("Grant");
  });

  test("a step that fails leaves nothing, and is taken again the next time", async () => {
    await withSql(async (sql) => {
      await sql.script("create schema fetch_image; create table fetch_image.builds (unexpected int)");
      expect(await codeOf(migrate(sql))).toBe("FI_INTERNAL");
      expect((await sql.query("select to_regclass('fetch_image.events') is null as none")).rows).toEqual([
        { none: true },
      ]);
      await sql.script("drop table fetch_image.builds");
      await migrate(sql);
    });
  });

  test("several stand in one database, and know nothing of each other", async () => {
    await withSql(async (sql) => {
      const [one, two] = ["one", "two"].map((schema) => createPostgresEventLog({ sql, schema }));
      const fact = aFact();
      await one?.append("build-1", "no-stream", [fact]);
      await two?.append("build-1", "no-stream", [fact, aFact()]);
      expect(await one?.read("build-1")).toHaveLength(1);
      expect(await two?.read("build-1")).toHaveLength(2);
    });
  });

  test("a name that would have to be quoted is refused", async () => {
    await withSql(async (sql) => {
      for (const schema of ["", "Fetch", "fetch-image", 'a"b', "a;b", "pg_catalog", "1a", "x".repeat(41)]) {
        expect((await errorOf(migrate(sql, { schema })))?.code).toBe("FI_SETTING_INVALID");
      }
      // Though not one that SQL reserves.
      await migrate(sql, { schema: "user" });
    });
  });
});

describe("the server's settings", () => {
  test("a database whose transactions are serializable by default is appended to all the same", async () => {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(
      `alter database ${new URL(url).pathname.slice(1)} set default_transaction_isolation = 'serializable'`,
    );
    await client.end();
    await using store = await openPostgresStore({ connectionString: url });
    const appends = Array.from({ length: 50 }, (_, n) => store.eventLog.append(`build-${n}`, "no-stream", [aFact()]));
    expect((await Promise.all(appends)).map(({ revision }) => revision)).toEqual(appends.map(() => 0n));
    expect(await store.eventLog.append("alone", "no-stream", [aFact()])).toMatchObject({ revision: 0n });
  });
});
