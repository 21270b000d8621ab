import { migrate, type Sql } from "@fetch-image/store/postgres";

const schema = "conformance";
const tables = ["events", "builds", "build_images", "build_days", "scopes", "versions", "observations", "checkpoints"];

/** One schema for all tests of a file, emptied: faster by far than a new one for each. */
export async function emptySchema(sql: Sql): Promise<{ readonly sql: Sql; readonly schema: string }> {
  await migrate(sql, { schema });
  // Deleted, not truncated: that would write and sync new files each time.
  await sql.script(tables.map((table) => `delete from ${schema}.${table}`).join("; "));
  return { sql, schema };
}
