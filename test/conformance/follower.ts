import type { EventLog, RecordedFact, SubscribeOptions, SubscriptionMessage } from "@fetch-image/core";

/** A subscription that is read as fast as it gives. */
export interface Follower {
  readonly facts: readonly RecordedFact[];
  readonly messages: readonly SubscriptionMessage[];
  /** Resolves when so many facts have come. */
  reached(facts: number): Promise<void>;
  /** Resolves when so many times the end was reached. */
  caughtUp(times?: number): Promise<void>;
  /** Aborts, and resolves when the iteration has ended; rejects as it did. */
  stop(): Promise<void>;
  /** Settles as the iteration does. */
  readonly ended: Promise<void>;
}

export function follow(eventLog: EventLog, options: Omit<SubscribeOptions, "signal"> = {}): Follower {
  const controller = new AbortController();
  const messages: SubscriptionMessage[] = [];
  const facts: RecordedFact[] = [];
  const watching = new Set<() => void>();
  const read = async (): Promise<void> => {
    for await (const message of eventLog.subscribe({ ...options, signal: controller.signal })) {
      messages.push(message);
      if (message.kind === "fact") facts.push(message.fact);
      for (const look of watching) look();
    }
  };
  const ended = read();
  ended.catch(() => undefined);
  const until = (done: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!done()) return;
        watching.delete(look);
        resolve();
      };
      watching.add(look);
      ended.then(() => reject(new Error(`the subscription ended after ${facts.length} facts`)), reject);
      look();
    });
  return {
    facts,
    messages,
    reached: (count) => until(() => facts.length >= count),
    caughtUp: (times = 1) => until(() => messages.filter(({ kind }) => kind === "caught-up").length >= times),
    stop: () => {
      controller.abort();
      return ended;
    },
    ended,
  };
}
