// The inspector with the sample's facts in it, its page as it was built.
import { type EventLog, type NewFact, type RecordedFact } from "@fetch-image/core";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { type InspectorServer, serveInspector } from "../../support/inspector-server.ts";
import type { Sample } from "./sample-facts.ts";

export interface PageServer extends InspectorServer {
  readonly eventLog: EventLog;
  /** Appends facts of a stream, which must go on where it ends. */
  store(facts: readonly RecordedFact[]): Promise<void>;
}

export async function servePage(sample?: Sample, options: { readonly token?: string } = {}): Promise<PageServer> {
  const eventLog = createMemoryEventLog();
  const store = async (facts: readonly RecordedFact[]): Promise<void> => {
    const [first] = facts;
    if (first === undefined) return;
    const given = facts.map(({ id, type, data, metadata }): NewFact => ({ id, type, data, metadata }));
    await eventLog.append(first.stream, first.revision === 0n ? "no-stream" : first.revision - 1n, given);
  };
  for (const { facts } of [...(sample?.scopes ?? []), ...(sample?.builds ?? [])]) {
    await store(facts as unknown as readonly RecordedFact[]);
  }
  const server = await serveInspector({ eventLog, ...options });
  return {
    eventLog,
    store,
    inspector: server.inspector,
    origin: server.origin,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
    },
  };
}
