import { type ResolvedEvent, START, streamNameFilter } from "@eventstore/db-client";
import type { StoreClient } from "./client.ts";
import { within } from "./ending.ts";
import { GivenUp } from "./failures.ts";
import { Inbox } from "./inbox.ts";
import type { Lease, Link } from "./link.ts";
import type { LogPosition } from "./position.ts";
import { ended } from "./reading.ts";

type RecordedEvent = NonNullable<ResolvedEvent["event"]>;

/** What a subscription says: an event, that everything up to a place has been looked at, or that there is no more so far. */
export type News =
  | { readonly kind: "event"; readonly event: RecordedEvent }
  | { readonly kind: "checkpoint"; readonly position: LogPosition }
  | { readonly kind: "caught-up" };

/** What is followed: a stream from after a revision, or all streams of some prefixes from after a position. */
export type Followed =
  | { readonly stream: string; readonly after: bigint | undefined }
  | { readonly prefixes: readonly string[]; readonly after: LogPosition | undefined };

export interface Subscription {
  /** What has come, by the handful, as soon as something has. Rejects when the subscription has ended, as it never
   *  resumes, and with `GivenUp` after so long. */
  take(timeoutMs?: number): Promise<readonly News[]>;
  /** Nothing more has come so far. */
  readonly isEmpty: boolean;
  stop(): Promise<void>;
}

type ClientSubscription = ReturnType<StoreClient["subscribeToStream"]> | ReturnType<StoreClient["subscribeToAll"]>;

/** In windows of 32 events that the server looks at: little is looked at twice, and checkpoints cost nothing. */
const checkpointInterval = 8;

/** Starts a subscription. Resolves once the server has confirmed it, within so long. */
export async function subscribe(link: Link, followed: Followed, timeoutMs: number): Promise<Subscription> {
  const lease = await link.lease(timeoutMs);
  const subscription = start(lease.client, followed, (position) => inbox.remark({ kind: "checkpoint", position }));
  const inbox = new Inbox<News>(subscription, ({ event }) => event && { kind: "event", event });
  subscription.on("caughtUp", () => inbox.remark({ kind: "caught-up" }));
  const ignore = lease.lost.onEnd((reason) => inbox.fail(reason));
  let failed = false;
  const failing = (error: unknown): never => {
    failed = true;
    link.report(lease, error);
    throw error;
  };
  const stop = async (): Promise<void> => {
    ignore();
    inbox.fail(new GivenUp("the subscription was stopped", { sent: true, broken: false }));
    if (!failed) await ended({ cancel: () => subscription.unsubscribe() });
  };
  await confirmed(subscription, lease, timeoutMs).catch(failing);
  return {
    stop,
    get isEmpty() {
      return inbox.isEmpty;
    },
    async take(takeMs) {
      const items = await inbox.take(takeMs).catch(failing);
      return items ?? failing(new GivenUp("the subscription ended", { sent: true, broken: false }));
    },
  };
}

/** What a subscription says, up to when the caller has heard enough; silence of so long is an error. */
export async function* newsOf(link: Link, followed: Followed, timeoutMs: number): AsyncGenerator<News, void> {
  const subscription = await subscribe(link, followed, timeoutMs);
  try {
    for (;;) yield* await subscription.take(timeoutMs);
  } finally {
    await subscription.stop();
  }
}

// From a revision or position, a subscription starts after it, where a read would start with it.
function start(
  client: StoreClient,
  followed: Followed,
  checkpoint: (position: LogPosition) => void,
): ClientSubscription {
  if ("stream" in followed) return client.subscribeToStream(followed.stream, { fromRevision: followed.after ?? START });
  const filter = streamNameFilter({
    prefixes: [...followed.prefixes],
    checkpointInterval,
    // What this throws would end the process's patience with unhandled rejections, and stall the subscription.
    checkpointReached: (_subscription, position) => checkpoint(position),
  });
  return client.subscribeToAll({ fromPosition: followed.after ?? START, filter });
}

function confirmed(subscription: ClientSubscription, { lost }: Lease, timeoutMs: number): Promise<void> {
  const confirmation = new Promise<void>((resolve, reject) => {
    subscription.once("confirmation", resolve);
    subscription.once("error", reject);
    subscription.once("close", () => reject(new GivenUp("the subscription ended", { sent: true, broken: false })));
  });
  return within(
    lost.orEnd(confirmation),
    timeoutMs,
    () => new GivenUp("there is no answer", { sent: true, broken: true }),
  );
}
