import { createPostgresReadModel } from "@fetch-image/store/postgres";
import { postgresMissing } from "../support/postgres.ts";
import { readModelContract } from "./read-model.contract.ts";
import { sharedPostgres } from "./shared-postgres.ts";

const server = sharedPostgres();

readModelContract("PostgreSQL", {
  open: async () => createPostgresReadModel(await server.empty()),
  missing: postgresMissing(),
});
