import { randomUUID } from "node:crypto";
import type { EventLog } from "@fetch-image/core";
import { type EventStoreDbStore, openEventStoreDb } from "@fetch-image/store/eventstoredb";
import { afterAll } from "vitest";

interface Server {
  readonly url: string;
  /** Where the server can be emptied. */
  readonly clear?: () => void;
  readonly stop: () => Promise<void>;
}

/**
 * One server for the tests of a file. A real event store cannot be emptied: every test gets a namespace of its own in
 * it, which is as good.
 */
export function sharedEventStoreDb(start: () => Promise<Server>): {
  readonly empty: () => Promise<EventLog>;
} {
  let starting: Promise<Server> | undefined;
  let holding: Promise<EventStoreDbStore> | undefined;
  afterAll(async () => {
    await (await holding)?.close();
    await (await starting)?.stop();
  });
  return {
    empty: async () => {
      const { url, clear } = await (starting ??= start());
      clear?.();
      // Held open over all tests, so that they share one client as what a process opens does.
      await (holding ??= openEventStoreDb({ connectionString: url }));
      const namespace = `t${randomUUID().replaceAll("-", "")}`;
      return (await openEventStoreDb({ connectionString: url, namespace })).eventLog;
    },
  };
}
