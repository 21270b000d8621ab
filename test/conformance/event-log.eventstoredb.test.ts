import { eventLogContract } from "./event-log.contract.ts";
import { sharedEventStoreDb } from "./shared-eventstoredb.ts";

const url = process.env["EVENTSTOREDB_URL"];
const store = sharedEventStoreDb(async () => ({ url: url ?? "", stop: async () => undefined }));

// The bounds are those of a server as it comes: --max-append-size of 1 MiB.
eventLogContract(
  "a real EventStoreDB",
  {
    open: store.empty,
    missing: url === undefined ? "EVENTSTOREDB_URL names no server (docs/guides/eventstoredb.md)" : undefined,
    differences: { maxAppendBytes: 1024 * 1024, takesKnownIds: true },
  },
  { modelRuns: 25 },
);
