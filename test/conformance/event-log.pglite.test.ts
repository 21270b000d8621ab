import { createPostgresEventLog } from "@fetch-image/store/postgres";
import { eventLogContract } from "./event-log.contract.ts";
import { sharedEmbedded } from "./shared-embedded.ts";

const store = sharedEmbedded();

// The same class as on a server: what differs is the driver.
eventLogContract("PGlite", { open: async () => createPostgresEventLog(await store.empty()) }, { modelRuns: 15 });
