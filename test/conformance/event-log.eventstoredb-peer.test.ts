import { eventLogContract } from "./event-log.contract.ts";
import { sharedEventStoreDb } from "./shared-eventstoredb.ts";
import { startEventStoreDbPeer } from "../support/eventstoredb-peer/index.ts";

const store = sharedEventStoreDb(async () => {
  const peer = await startEventStoreDbPeer();
  return { url: peer.url, clear: () => peer.log.clear(), stop: async () => peer.node.kill() };
});

eventLogContract(
  "EventStoreDB's wire peer",
  { open: store.empty, differences: { maxAppendBytes: 1024 * 1024, takesKnownIds: true } },
  { modelRuns: 25 },
);
