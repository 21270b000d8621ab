import { createPostgresSql, type Sql } from "@fetch-image/store/postgres";
import { afterAll } from "vitest";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { emptySchema } from "./empty-schema.ts";

/** One server for the tests of a file, started when the first of them needs it and ended after the last. */
export function sharedPostgres(): {
  /** An empty store on it. */
  empty(): Promise<{ readonly sql: Sql; readonly schema: string }>;
  server(): Promise<TestPostgres>;
} {
  let starting: Promise<TestPostgres> | undefined;
  let pool: Sql | undefined;
  const server = (): Promise<TestPostgres> => (starting ??= startPostgres());
  afterAll(async () => {
    await pool?.close();
    await (await starting)?.stop();
  });
  return {
    server,
    async empty() {
      const { url } = await server();
      pool ??= createPostgresSql({ connectionString: url });
      return emptySchema(pool);
    },
  };
}
