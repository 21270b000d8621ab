import { createPostgresSql } from "@fetch-image/store/postgres";
import { postgresMissing } from "../support/postgres.ts";
import { sharedPostgres } from "./shared-postgres.ts";
import { expect, test } from "vitest";
import { expectRefusedAfterClose, sqlContract } from "./sql.contract.ts";

const shared = sharedPostgres();

sqlContract("pg", {
  open: async () => createPostgresSql({ connectionString: (await shared.server()).url }),
  missing: postgresMissing(),
});

test("SQL through pg is refused after close", async ({ skip }) => {
  const missing = postgresMissing();
  if (missing !== undefined) skip(missing);
  expect.hasAssertions();
  await expectRefusedAfterClose(createPostgresSql({ connectionString: (await shared.server()).url }));
});
