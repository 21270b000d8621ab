import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, realpathSync, renameSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import type { PGlite } from "@electric-sql/pglite";
import { FetchImageError } from "@fetch-image/core/fetching";
import { migrateOnce } from "../sql/migrate.ts";
import { PgliteSql } from "./pglite-sql.ts";

/** Free bytes that making a database takes, with some to spare. */
const roomToBegin = 96 * 1024 * 1024;
const database = "postgres";
const unfinished = "postgres.new-";

/**
 * The database in `DIRECTORY/postgres`, made first where it is missing: beside its place and moved there once it is
 * whole, so that a process killed meanwhile leaves nothing that looks like a database. The caller holds the lock.
 */
export async function openDatabase(directory: string, schema: string | undefined): Promise<PgliteSql> {
  for (const name of readdirSync(directory)) {
    if (name.startsWith(unfinished)) rmSync(join(directory, name), { recursive: true, force: true });
  }
  const place = join(directory, database);
  if (!hasDatabase(directory)) await makeDatabase(directory, place, schema);
  const name = `the embedded store in ${directory}`;
  const open = (): Promise<PGlite> => openPglite(place);
  const sql = new PgliteSql({ name, open, directory }, await open());
  await migrated(sql, schema);
  return sql;
}

/** Whether the directory has a whole database. */
export function hasDatabase(directory: string): boolean {
  return existsSync(join(directory, database, "PG_VERSION"));
}

async function migrated(sql: PgliteSql, schema: string | undefined): Promise<void> {
  try {
    await migrateOnce(sql, schema);
  } catch (error) {
    await sql.close();
    throw error;
  }
}

async function makeDatabase(directory: string, place: string, schema: string | undefined): Promise<void> {
  if (existsSync(place) && readdirSync(place).length > 0)
    throw new Error(`${place} holds something else than a database`);
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize < roomToBegin) {
    throw new FetchImageError("FI_STORE_FULL", {
      message: `${directory}: a new store needs ${roomToBegin >> 20} MiB; ${Math.floor((bavail * bsize) / 2 ** 20)} MiB are free`,
    });
  }
  const beside = join(directory, `${unfinished}${randomUUID()}`);
  try {
    const sql = new PgliteSql({ name: directory, open: () => openPglite(beside) }, await openPglite(beside));
    await migrated(sql, schema);
    await sql.close();
  } catch (error) {
    rmSync(beside, { recursive: true, force: true });
    throw error;
  }
  renameSync(beside, place);
}

async function openPglite(place: string): Promise<PGlite> {
  // A driver of twenty megabytes, that a reader of another process's store does without.
  const { PGlite } = await import("@electric-sql/pglite");
  const said: string[] = [];
  try {
    // Its file system does not follow a link at the root.
    return await PGlite.create(existsSync(place) ? realpathSync(place) : place, {
      // int8 as text, as the other driver gives it.
      parsers: { 20: (value) => value },
      // Taken at the making, and kept with the database from then on: half a gigabyte less memory, and a log that stays
      // small.
      initDbStartParams: ["--wal-segsize=1"],
      postgresqlconf: ["shared_buffers = 8MB", "min_wal_size = 4MB", "max_wal_size = 32MB", "jit = off"],
      onStderr: (line) => said.push(line) > 0,
    });
  } catch (error) {
    const fatal = said.findLast((line) => /FATAL|PANIC/.test(line));
    throw fatal === undefined ? error : new Error(fatal.trim(), { cause: error });
  }
}
