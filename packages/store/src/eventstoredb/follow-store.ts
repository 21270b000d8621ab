import { type CancelSignal, FetchImageError, type SubscriptionMessage } from "@fetch-image/core/fetching";
import { pause, untilAborted } from "../facts/abort.ts";
import type { Ending } from "./ending.ts";
import { storeError } from "./errors.ts";
import { failureOf } from "./failures.ts";
import type { Source } from "./followed.ts";
import type { Link } from "./link.ts";
import { subscribe, type Subscription } from "./subscription.ts";

export interface FollowOptions {
  readonly link: Link;
  readonly timeoutMs: number;
  /** Ends the iteration with its reason. */
  readonly over: Ending;
  /** Ends the iteration without an error. */
  readonly signal: CancelSignal;
}

/** How long a store may be away before a subscription gives it up. */
const patienceMs = 300_000;
const firstRetryMs = 50;
const longestRetryMs = 1_000;

/**
 * Everything after where the source stands, in order, each once: first what is there, by pages, then what comes, by a
 * subscription of the server's. That one never resumes, so a broken one is followed by another, from the last thing that
 * was given or looked at. `caught-up` comes at the end of the pages, and whenever nothing more has come after further facts.
 */
export async function* followStore(source: Source, options: FollowOptions): AsyncGenerator<SubscriptionMessage, void> {
  const { signal, over } = options;
  const progress: Progress = { announce: true, failingSince: undefined, retryMs: firstRetryMs };
  while (!signal.aborted) {
    try {
      yield* catchUp(source, options, progress);
      if (signal.aborted) return;
      yield* live(source, options, progress);
    } catch (error) {
      const failure = asFailure(error, options.link);
      progress.failingSince ??= Date.now();
      if (over.isOver || !failure.retryable || Date.now() - progress.failingSince > patienceMs) throw failure;
      await pause(progress.retryMs, signal);
      progress.retryMs = Math.min(progress.retryMs * 2, longestRetryMs);
    }
  }
}

interface Progress {
  /** Something was given since the last `caught-up`, or there was none yet. */
  announce: boolean;
  failingSince: number | undefined;
  retryMs: number;
}

async function* catchUp(
  source: Source,
  { over, signal }: FollowOptions,
  progress: Progress,
): AsyncGenerator<SubscriptionMessage, void> {
  for (let end = false; !end;) {
    const page = await untilAborted(over.orEnd(source.page()), signal);
    if (page === undefined) return;
    for (const fact of page.facts) {
      if (signal.aborted) return;
      yield { kind: "fact", fact };
      progress.announce = true;
    }
    end = page.end;
  }
  yield* announced(source, signal, progress);
}

async function* live(
  source: Source,
  { link, timeoutMs, over, signal }: FollowOptions,
  progress: Progress,
): AsyncGenerator<SubscriptionMessage, void> {
  const { followed } = source;
  if (followed === undefined) {
    await over.orEnd(new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true })));
    return;
  }
  const starting = subscribe(link, followed, timeoutMs);
  const subscription = await untilAborted(over.orEnd(starting), signal).catch((error: unknown) => {
    stopWhenStarted(starting);
    throw error;
  });
  if (subscription === undefined) {
    stopWhenStarted(starting);
    return;
  }
  progress.failingSince = undefined;
  try {
    for (;;) {
      const handful = await untilAborted(over.orEnd(subscription.take()), signal);
      if (handful === undefined) return;
      for (const news of handful) {
        const fact = source.accept(news);
        if (fact === undefined) continue;
        if (signal.aborted) return;
        yield { kind: "fact", fact };
        progress.announce = true;
      }
      progress.retryMs = firstRetryMs;
      if (subscription.isEmpty) yield* announced(source, signal, progress);
    }
  } finally {
    await subscription.stop();
  }
}

function* announced(source: Source, signal: CancelSignal, progress: Progress): Generator<SubscriptionMessage, void> {
  if (!progress.announce || signal.aborted) return;
  progress.announce = false;
  yield { kind: "caught-up", position: source.position };
}

function stopWhenStarted(starting: Promise<Subscription>): void {
  starting.then((subscription) => subscription.stop()).catch(() => undefined);
}

function asFailure(error: unknown, link: Link): FetchImageError {
  if (FetchImageError.is(error)) return error;
  return storeError(failureOf(error), { store: link.name, what: "follow its streams" }, error);
}
