// Three connections to the server for all of the test's, each lent for a transaction.
import { createPostgresEventLog, createPostgresSql, type Sql } from "@fetch-image/store/postgres";
import { afterAll } from "vitest";
import { pgBouncerMissing, startPgBouncer, type TestPgBouncer } from "../support/pgbouncer.ts";
import { postgresMissing } from "../support/postgres.ts";
import { emptySchema } from "./empty-schema.ts";
import { eventLogContract } from "./event-log.contract.ts";
import { sharedPostgres } from "./shared-postgres.ts";

const postgres = sharedPostgres();
let starting: Promise<{ readonly pooler: TestPgBouncer; readonly sql: Sql }> | undefined;

async function start() {
  const server = await postgres.server();
  const pooler = await startPgBouncer(server.port, { mode: "transaction", poolSize: 3 });
  return { pooler, sql: createPostgresSql({ connectionString: pooler.through(server.url) }) };
}

afterAll(async () => {
  const started = await starting;
  await started?.sql.close();
  await started?.pooler[Symbol.asyncDispose]();
});

eventLogContract(
  "PostgreSQL behind PgBouncer",
  {
    async open() {
      starting ??= start();
      const { sql } = await starting;
      return createPostgresEventLog(await emptySchema(sql));
    },
    missing: postgresMissing() ?? pgBouncerMissing(),
  },
  { modelRuns: 3 },
);
