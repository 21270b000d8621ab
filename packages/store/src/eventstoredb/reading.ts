import { setImmediate as turn } from "node:timers/promises";
import type { ResolvedEvent, StreamingRead } from "@eventstore/db-client";
import type { StoreClient } from "./client.ts";
import { Inbox } from "./inbox.ts";
import type { Link } from "./link.ts";

type RecordedEvent = NonNullable<ResolvedEvent["event"]>;

/** Opens a read on a client. */
export type Open = (client: StoreClient) => StreamingRead<ResolvedEvent>;

/**
 * The events of one read, each as it comes; who leaves early ends the call. Rejects with what the client says, and with
 * `GivenUp` where nothing comes for so long, or the connection goes.
 */
export async function* eventsOf(link: Link, open: Open, timeoutMs: number): AsyncGenerator<RecordedEvent, void> {
  const lease = await link.lease(timeoutMs);
  const stream = open(lease.client);
  const inbox = new Inbox(stream, ({ event }) => event);
  let failed = false;
  const stop = lease.lost.onEnd((reason) => inbox.fail(reason));
  try {
    for (;;) {
      const events = await inbox.take(timeoutMs);
      if (events === undefined) return;
      yield* events;
    }
  } catch (error) {
    failed = true;
    link.report(lease, error);
    throw error;
  } finally {
    stop();
    if (!failed) await ended(stream);
  }
}

/** Ends a call that nobody wants any more. Not one that failed: that has ended by itself, or is ended with its client. */
export async function ended(stream: { cancel(): Promise<void> }): Promise<void> {
  // The client waits for the call to have begun, which may be long in coming, or never: then nobody need wait for it.
  await Promise.race([stream.cancel().catch(() => undefined), turn().then(() => turn())]);
}
