import { FetchImageError } from "@fetch-image/core/fetching";
import { storeError } from "./errors.ts";
import { type Migration, migrations } from "./migrations.ts";
import { schemaName, type SchemaName } from "./schema-name.ts";
import type { Sql, SqlQueries } from "./sql.ts";

/**
 * Brings the schema up to date; any number of clients may do so at once. One that is up to date is only looked at, so
 * that a user without the right to create tables can use it.
 * Rejects with `FI_STORE_TOO_NEW` where a newer version made it.
 */
export async function migrate(sql: Sql, options: { readonly schema?: string } = {}): Promise<void> {
  const schema = schemaName(options.schema);
  const known = await migrations();
  try {
    if (pending(sql, schema, known, await applied(sql, schema)).length === 0) return;
    await sql.transaction(
      async (tx) => {
        // Session-independent, and of one schema: clients of another are not held up.
        await tx.query("select pg_advisory_xact_lock(73051502, hashtext($1))", [schema.name]);
        for (const migration of pending(sql, schema, known, await applied(tx, schema))) {
          if (migration.number === 1) await createSchema(tx, schema);
          await tx.script(textFor(migration, schema));
          await tx.query(`insert into ${schema.identifier}.migrations (number, name) values ($1, $2)`, [
            migration.number,
            migration.name,
          ]);
        }
      },
      { takesLong: true },
    );
  } catch (error) {
    throw storeError(error, sql.name, `bring the schema ${schema.name} up to date`);
  }
}

/** The same for many users of one connection: once, and again only where it failed. */
export function migrateOnce(sql: Sql, schema: string | undefined): Promise<void> {
  const name = schemaName(schema).name;
  const bySchema = done.get(sql) ?? new Map<string, Promise<void>>();
  done.set(sql, bySchema);
  let running = bySchema.get(name);
  if (running === undefined) {
    running = migrate(sql, { schema: name });
    bySchema.set(name, running);
    running.catch(() => bySchema.delete(name));
  }
  return running;
}

const done = new WeakMap<Sql, Map<string, Promise<void>>>();

async function applied(queries: SqlQueries, schema: SchemaName): Promise<number> {
  const table = `${schema.identifier}.migrations`;
  // Not to_regclass: it may answer from a cache that has not heard of the client this one has just waited for.
  const there = await queries.query(
    `select exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       where n.nspname = $1 and c.relname = 'migrations') as there`,
    [schema.name],
  );
  if (there.rows[0]?.["there"] !== true) return 0;
  const { rows } = await queries.query(`select coalesce(max(number), 0)::int as number from ${table}`);
  return Number(rows[0]?.["number"]);
}

function pending(sql: Sql, schema: SchemaName, known: readonly Migration[], applied: number): readonly Migration[] {
  const newest = known.at(-1)?.number ?? 0;
  if (applied > newest) {
    throw new FetchImageError("FI_STORE_TOO_NEW", {
      message: `${sql.name}: the schema ${schema.name} is at version ${applied}; this fetch-image knows up to ${newest}`,
      details: { schema: schema.name, version: applied, known: newest },
    });
  }
  return known.filter(({ number }) => number > applied);
}

async function createSchema(tx: SqlQueries, schema: SchemaName): Promise<void> {
  const there = await tx.query("select exists (select from pg_catalog.pg_namespace where nspname = $1) as there", [
    schema.name,
  ]);
  // "if not exists" asks for the right to create one even where it exists.
  if (there.rows[0]?.["there"] !== true) await tx.script(`create schema ${schema.identifier}`);
  await tx.script(`
    create table ${schema.identifier}.migrations (
      number int primary key, name text not null, applied_at timestamptz not null default clock_timestamp())`);
}

function textFor(migration: Migration, schema: SchemaName): string {
  return migration.text.replaceAll(":schema", schema.identifier).replaceAll(":channel", `'${schema.channel}'`);
}
