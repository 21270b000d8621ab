import { createPostgresReadModel } from "@fetch-image/store/postgres";
import { readModelContract } from "./read-model.contract.ts";
import { sharedEmbedded } from "./shared-embedded.ts";

const store = sharedEmbedded();

readModelContract("PGlite", { open: async () => createPostgresReadModel(await store.empty()) });
