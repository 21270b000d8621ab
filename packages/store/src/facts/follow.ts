import {
  type CancelSignal,
  FetchImageError,
  type Page,
  type Position,
  type SubscribeOptions,
  type SubscriptionMessage,
} from "@fetch-image/core/fetching";
import { pause, untilAborted } from "./abort.ts";

/** What a subscription needs of a log that is read by pages. */
export interface Followable {
  /** The next page after `after`, which may be the place the last one ended at; rejects as `readAll` does. */
  page(after: Position | undefined): Promise<Page>;
  /** Resolves once there may be something after `next`, or `signal` aborts. `mark` is of before the page that ended at
   *  `next` was read: what has happened since counts. */
  changed(mark: number, next: Position | undefined, signal: CancelSignal): Promise<void>;
  mark(): number;
  /** Why the log will never answer again, once that is so. */
  ended(): FetchImageError | undefined;
}

/** How long a store may be away before a subscription gives it up. */
const patienceMs = 300_000;
const firstRetryMs = 100;
const longestRetryMs = 1_000;

/**
 * A subscription over pages: everything after `after`, in order, each once. `caught-up` comes when the end is reached
 * for the first time, and again whenever it is reached after further facts.
 */
export async function* follow(options: SubscribeOptions, log: Followable): AsyncGenerator<SubscriptionMessage, void> {
  const { signal } = options;
  let after = options.after;
  let announce = true;
  let failingSince: number | undefined;
  let retryMs = firstRetryMs;
  while (!signal.aborted) {
    const ended = log.ended();
    if (ended !== undefined) throw ended;
    const mark = log.mark();
    let page: Page | undefined;
    try {
      page = await untilAborted(log.page(after), signal);
    } catch (error) {
      if (!isPassing(error) || log.ended() !== undefined) throw error;
      failingSince ??= Date.now();
      if (Date.now() - failingSince > patienceMs) throw error;
      await pause(retryMs, signal);
      retryMs = Math.min(retryMs * 2, longestRetryMs);
      continue;
    }
    if (page === undefined) return;
    failingSince = undefined;
    retryMs = firstRetryMs;
    for (const fact of page.facts) {
      if (signal.aborted) return;
      yield { kind: "fact", fact };
      announce = true;
    }
    after = page.next ?? after;
    if (!page.end) continue;
    if (announce) {
      announce = false;
      if (signal.aborted) return;
      yield { kind: "caught-up", position: after };
    }
    await log.changed(mark, after, signal);
  }
}

function isPassing(error: unknown): boolean {
  return FetchImageError.is(error) && error.retryable;
}
