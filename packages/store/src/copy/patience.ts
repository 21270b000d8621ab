import { type CancelSignal, FetchImageError } from "@fetch-image/core/fetching";
import { pause } from "../facts/abort.ts";

export interface PatienceOptions {
  /** How long one piece of work is tried again while the store says that it may pass, in milliseconds. */
  readonly ms: number;
  readonly signal: CancelSignal;
}

const firstPauseMs = 100;
const longestPauseMs = 2_000;

/** Does work that is safe to repeat until it succeeds, fails for good, or patience is at its end. */
export class Patience {
  readonly #options: PatienceOptions;

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  /** Rejects with what `work` rejected with last, and with `FI_ABORTED` once the signal has aborted. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const { ms, signal } = this.#options;
    const until = performance.now() + ms;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      if (signal.aborted) throw interrupted();
      try {
        return await work();
      } catch (error) {
        if (!FetchImageError.is(error) || !error.retryable || performance.now() + pauseMs > until) throw error;
      }
      await pause(pauseMs, signal);
    }
  }
}

function interrupted(): FetchImageError {
  return new FetchImageError("FI_ABORTED", {
    message: "the copy was interrupted",
    hint: "Run it again: it goes on where it stopped.",
  });
}
