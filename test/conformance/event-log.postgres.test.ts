import { createPostgresEventLog } from "@fetch-image/store/postgres";
import { postgresMissing } from "../support/postgres.ts";
import { eventLogContract } from "./event-log.contract.ts";
import { sharedPostgres } from "./shared-postgres.ts";

const server = sharedPostgres();

eventLogContract(
  "PostgreSQL",
  { open: async () => createPostgresEventLog(await server.empty()), missing: postgresMissing() },
  { modelRuns: 40 },
);
