import { readdirSync, readFileSync } from "node:fs";
import type { BuildImageRow, BuildRow, ReadModelChanges } from "@fetch-image/core";
import { createAudit } from "@fetch-image/engine";
import { createPostgresReadModel, expireAudit, migrate, type Sql } from "@fetch-image/store/postgres";
import { describe, expect, test, vi } from "vitest";
import { sharedEmbedded } from "../conformance/shared-embedded.ts";
import { sharedPostgres } from "../conformance/shared-postgres.ts";
import { postgresMissing } from "../support/postgres.ts";

vi.setConfig({ testTimeout: 60_000 });

const postgres = sharedPostgres();
const embedded = sharedEmbedded();

describe.each([
  ["PostgreSQL", postgres, postgresMissing()],
  ["the embedded store", embedded, undefined],
] as const)("days of the audit, in %s", (_name, store, missing) => {
  async function open(skip: (note?: string) => void) {
    if (missing !== undefined) skip(missing);
    const on: { readonly sql: Sql; readonly schema: string } = await store.empty();
    // Days outlive the rows that a test before has left in them.
    await expireAudit({ ...on, before: Date.parse("9999-01-01T00:00:00Z") });
    await on.sql.query(`delete from ${on.schema}.audit_horizon`);
    const readModel = createPostgresReadModel(on);
    const partitions = async (of: string): Promise<readonly string[]> => {
      const { rows } = await on.sql.query<{ readonly name: string }>(
        `select c.relname::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = $1::regclass order by c.relname`,
        [`${on.schema}.${of}`],
      );
      return rows.map(({ name }) => name);
    };
    const expireFacts = (ids: readonly string[]) =>
      on.sql.query(`update ${on.schema}.builds set expired_at = now() where build_id = any ($1::text[])`, [
        `{${ids.join(",")}}`,
      ]);
    return { on, readModel, partitions, expireFacts };
  }

  test("are made as builds are opened on them, and a build's images stand with it to their last change", async ({
    skip,
  }) => {
    const { on, readModel, partitions } = await open(skip);
    const builds = ["2026-10-30T23:59:59.999Z", "2026-10-31T00:00:00.000Z", "2026-11-01T12:00:00.000Z"];
    await readModel.apply(page(builds.map((openedAt, n) => aBuild(`${n}`, openedAt))), { from: undefined, to: "1" });
    await readModel.apply(
      changes({ images: [{ buildId: "0", fetchId: "f", state: "failed", endedAt: "2026-11-02T00:00:00.000Z" }] }),
      { from: "1", to: "2" },
    );
    expect(await partitions("builds")).toEqual([
      "builds_20261030",
      "builds_20261031",
      "builds_20261101",
      "builds_undated",
    ]);
    expect(await partitions("build_days")).toEqual(["build_days_202610", "build_days_202611"]);
    const { rows } = await on.sql.query(
      `select tableoid::regclass::text as part, count(*)::int as rows from ${on.schema}.build_images group by 1 order by 1`,
    );
    expect(rows.map(({ part, rows: count }) => [String(part).split(".").at(-1), count])).toEqual([
      ["build_images_20261030", 1],
      ["build_images_20261031", 1],
      ["build_images_20261101", 1],
    ]);
    expect(await readModel.imagesOfBuild("0")).toMatchObject([{ state: "failed", requestedAt: builds[0] }]);
  });

  test("get the rows of a build whose opening is told last", async ({ skip }) => {
    const { readModel, on } = await open(skip);
    await readModel.apply(page([{ buildId: "1", job: "unit" }]), { from: undefined, to: "1" });
    const opened = aBuild("1", "2026-10-30T12:00:00.000Z");
    await readModel.apply(changes({ builds: [opened] }), { from: "1", to: "2" });
    expect(await readModel.build("1")).toEqual({ ...opened, job: "unit" });
    expect(await readModel.imagesOfBuild("1")).toHaveLength(1);
    // Told again, and otherwise: it has one place all the same.
    await readModel.apply(changes({ builds: [aBuild("1", "2026-10-29T12:00:00.000Z")] }), { from: "2", to: "3" });
    expect(await readModel.builds({ limit: 9 })).toMatchObject([{ openedAt: "2026-10-29T12:00:00.000Z" }]);
    expect(await readModel.imagesOfBuild("1")).toHaveLength(1);
    const places = await on.sql.query(
      `select day::text from ${on.schema}.build_days union all select day::text from ${on.schema}.build_images`,
    );
    expect(places.rows).toEqual([{ day: "2026-10-29" }, { day: "2026-10-29" }]);
  });

  test("are dropped whole, and the audit says from when on it tells", async ({ skip }) => {
    const { on, readModel, partitions, expireFacts } = await open(skip);
    const days = ["2026-09-30", "2026-10-01", "2026-10-02", "2026-10-03"];
    const builds = days.flatMap((day) => ["a", "b"].map((name) => aBuild(`${day}-${name}`, `${day}T10:00:00.000Z`)));
    await readModel.apply(page(builds), { from: undefined, to: "1" });
    await expireFacts(builds.map(({ buildId }) => buildId));
    expect(await readModel.builds({ limit: 9, stored: true })).toEqual([]);
    expect(await readModel.builds({ limit: 9, stored: false })).toHaveLength(8);
    expect(await readModel.droppedBefore()).toBeUndefined();

    // A time in the middle of a day keeps that day.
    const before = Date.parse("2026-10-02T15:00:00Z");
    expect(await expireAudit({ ...on, before })).toEqual({ dropped: days.slice(0, 2), left: [] });
    expect(await partitions("build_images")).toEqual([
      "build_images_20261002",
      "build_images_20261003",
      "build_images_undated",
    ]);
    expect(await partitions("build_days")).toEqual(["build_days_202610"]);
    expect(await readModel.droppedBefore()).toBe("2026-10-02T00:00:00.000Z");
    const audit = createAudit({ readModel });
    const { rows, droppedBefore } = await audit.builds({ digest });
    expect(rows.map(({ build }) => build)).toEqual(["2026-10-03-b", "2026-10-03-a", "2026-10-02-b", "2026-10-02-a"]);
    expect(droppedBefore).toBe("2026-10-02T00:00:00.000Z");
    expect(await audit.builds({ digest, since: "2026-10-02T00:00:00Z" })).not.toHaveProperty("droppedBefore");
    await expect(audit.why("2026-10-01-a")).rejects.toMatchObject({
      code: "FI_BUILD_UNKNOWN",
      hint: expect.stringContaining("2026-10-02T00:00:00.000Z may have been dropped"),
    });
    expect(await audit.why("2026-10-02-a")).toMatchObject([{ digest }]);
    expect(await expireAudit({ ...on, before })).toEqual({ dropped: [], left: [] });
  });

  test("leave a build that has facts still, and stay where too many have", async ({ skip }) => {
    const { on, readModel, expireFacts } = await open(skip);
    const [day, next] = ["2026-10-01T10:00:00.000Z", "2026-10-02T10:00:00.000Z"];
    const many = Array.from({ length: 1001 }, (_, n) => aBuild(`m${n}`, next));
    await readModel.apply(page([aBuild("open", day), aBuild("over", day), ...many]), { from: undefined, to: "1" });
    await expireFacts(["over"]);
    const before = Date.parse("2026-11-01T00:00:00Z");
    expect(await expireAudit({ ...on, before })).toEqual({ dropped: ["2026-10-01"], left: ["2026-10-02"] });
    expect(await readModel.build("over")).toBeUndefined();
    expect(await readModel.build("open")).toEqual(aBuild("open", day));
    // What is told of it later is told of the same build.
    await readModel.apply(changes({ images: [{ buildId: "open", fetchId: "f", state: "failed" }] }), {
      from: "1",
      to: "2",
    });
    expect(await readModel.imagesOfBuild("open")).toMatchObject([{ digest, state: "failed" }]);
    expect((await readModel.builds({ limit: 9, until: next })).map(({ buildId }) => buildId)).toEqual(["open"]);
    expect(await readModel.builds({ limit: 2000 })).toHaveLength(1002);
    // And it goes when its facts are gone.
    await expireFacts(["open"]);
    await expireAudit({ ...on, before });
    expect(await readModel.build("open")).toBeUndefined();
    expect(await readModel.imagesOfBuild("open")).toEqual([]);
  });

  test("go whatever their builds' facts, where those stand in another store", async ({ skip }) => {
    const { on, readModel } = await open(skip);
    await readModel.apply(page([aBuild("1", "2026-10-01T10:00:00.000Z")]), { from: undefined, to: "C:12/P:9" });
    expect(await expireAudit({ ...on, before: Date.now() })).toEqual({ dropped: ["2026-10-01"], left: [] });
    expect(await readModel.build("1")).toBeUndefined();
  });

  test("come again with facts of builds that were dropped", async ({ skip }) => {
    const { on, readModel, expireFacts } = await open(skip);
    const build = aBuild("1", "2026-10-01T10:00:00.000Z");
    await readModel.apply(page([build, aBuild("2", "2026-10-02T10:00:00.000Z")]), { from: undefined, to: "1" });
    await expireFacts(["1"]);
    await expireAudit({ ...on, before: Date.parse("2026-10-02T00:00:00Z") });
    await readModel.apply(page([build]), { from: "1", to: "2" });
    expect(await readModel.build("1")).toEqual(build);
    expect(await readModel.imagesOfBuild("1")).toHaveLength(1);
    expect(await readModel.builds({ limit: 9, stored: true })).toHaveLength(2);
  });
});

test.skipIf(postgresMissing() !== undefined)(
  "a schema without days gets them, and its rows keep their answers and their readers' rights",
  async () => {
    const url = await (await postgres.server()).createDatabase();
    const { createPostgresSql } = await import("@fetch-image/store/postgres");
    const sql = createPostgresSql({ connectionString: url });
    try {
      await makeAsBefore(sql, "000006");
      const rows = [
        { build_id: "1", job: "unit", opened_at: "2026-10-01T23:59:59.999Z" },
        { build_id: "2", opened_at: "2026-10-02T00:00:00.000Z" },
        { build_id: "3" },
      ];
      const images = ["1", "2", "3", "unknown"].map((build_id) => ({
        build_id,
        fetch_id: "f",
        digest,
        evidence: "{}",
      }));
      await sql.query("select fetch_image.apply_changes('read-model', null, '7', $1, $2, '[]', '[]', '[]')", [
        JSON.stringify(rows),
        JSON.stringify(images),
      ]);
      await sql.script(`update fetch_image.builds set expired_at = now() where build_id = '1';
        create role auditor login; grant usage on schema fetch_image to auditor;
        grant select on all tables in schema fetch_image to auditor;`);
      await migrate(sql);
      const asAuditor = createPostgresSql({ connectionString: url.replace("postgres@", "auditor@") });
      const readModel = createPostgresReadModel({ sql: asAuditor });
      expect(await readModel.checkpoint()).toBe("7");
      expect((await readModel.builds({ limit: 9 })).map(({ buildId }) => buildId)).toEqual(["2", "1", "3"]);
      expect(await readModel.build("1")).toEqual({ buildId: "1", job: "unit", openedAt: "2026-10-01T23:59:59.999Z" });
      for (const { build_id: buildId } of images) {
        expect(await readModel.imagesOfBuild(buildId)).toEqual([{ buildId, fetchId: "f", digest, evidence: {} }]);
      }
      expect((await readModel.builds({ limit: 9, stored: true })).map(({ buildId }) => buildId)).toEqual(["2", "3"]);
      await asAuditor.close();
      const days = await sql.query("select day::text from fetch_image.days order by day");
      expect(days.rows).toEqual([{ day: "2026-10-01" }, { day: "2026-10-02" }]);
    } finally {
      await sql.close();
    }
  },
);

/** The schema as it was before a step. */
async function makeAsBefore(sql: Sql, step: string): Promise<void> {
  await sql.script(`create schema fetch_image;
    create table fetch_image.migrations (
      number int primary key, name text not null, applied_at timestamptz not null default clock_timestamp())`);
  const directory = new URL("../../packages/store/sql/", import.meta.url);
  const files = readdirSync(directory).filter((file) => file.endsWith(".sql") && file < step);
  for (const [index, file] of files.toSorted().entries()) {
    const text = readFileSync(new URL(file, directory), "utf8");
    await sql.script(text.replaceAll(":schema", "fetch_image").replaceAll(":channel", "'fetch_image'"));
    await sql.query("insert into fetch_image.migrations values ($1, $2)", [index + 1, file]);
  }
}

const digest = `sha256:${"a".repeat(64)}`;

function aBuild(buildId: string, openedAt: string): BuildRow {
  return { buildId, team: "main", openedAt };
}

/** Builds, and an image of each. */
function page(builds: readonly BuildRow[]): ReadModelChanges {
  const images: BuildImageRow[] = builds.map(({ buildId, openedAt = "2026-10-30T12:00:00.000Z" }) => {
    return { buildId, fetchId: "f", planId: "1", digest, state: "fetched", requestedAt: openedAt, endedAt: openedAt };
  });
  return changes({ builds, images });
}

function changes(some: Partial<ReadModelChanges>): ReadModelChanges {
  return { builds: [], images: [], scopes: [], versions: [], observations: [], ...some };
}
