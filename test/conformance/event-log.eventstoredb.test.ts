import { test } from "vitest";
import { eventLogContract } from "./event-log.contract.ts";
import { sharedEventStoreDb } from "./shared-eventstoredb.ts";

const url = process.env["EVENTSTOREDB_URL"];
// One skip, and not one for each of the contract's tests, which would bury what else is skipped.
// oxlint-disable-next-line vitest/no-conditional-tests -- see above
if (url === undefined) {
  // oxlint-disable-next-line vitest/expect-expect, vitest/no-disabled-tests -- see above
  test.skip("the event log of a real EventStoreDB (EVENTSTOREDB_URL names no server: docs/guides/eventstoredb.md)", () => {});
} else {
  const store = sharedEventStoreDb(async () => ({ url, stop: async () => undefined }));
  // The bounds are those of a server as it comes: --max-append-size of 1 MiB.
  const differences = { maxAppendBytes: 1024 * 1024, takesKnownIds: true };
  eventLogContract("a real EventStoreDB", { open: store.empty, missing: undefined, differences }, { modelRuns: 25 });
}
