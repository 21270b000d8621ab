import { createPostgresSql } from "@fetch-image/store/postgres";
import { postgresMissing } from "../support/postgres.ts";
import { sharedPostgres } from "./shared-postgres.ts";
import { Pool } from "pg";
import { expect, test } from "vitest";
import { expectRefusedAfterClose, sqlContract } from "./sql.contract.ts";

const shared = sharedPostgres();

sqlContract("pg", {
  open: async () => createPostgresSql({ connectionString: (await shared.server()).url }),
  missing: postgresMissing(),
});

test("a pooler that changes backends behind a connection costs nothing but prepared statements", async ({ skip }) => {
  const missing = postgresMissing();
  if (missing !== undefined) skip(missing);
  const pool = new Pool({ connectionString: (await shared.server()).url, max: 1 });
  const sql = createPostgresSql({ pool });
  for (let n = 0; n < 4; n++) {
    expect((await sql.query("select $1::int4 as n", [n], { name: "n" })).rows).toEqual([{ n }]);
    // As another backend would know nothing of it.
    await pool.query("deallocate all");
  }
  await sql.close();
  await pool.end();
});

test("SQL through pg is refused after close", async ({ skip }) => {
  const missing = postgresMissing();
  if (missing !== undefined) skip(missing);
  expect.hasAssertions();
  await expectRefusedAfterClose(createPostgresSql({ connectionString: (await shared.server()).url }));
});
