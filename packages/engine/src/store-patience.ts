import { type Clock, FetchImageError } from "@fetch-image/core";

export interface StorePatience {
  readonly clock: Clock;
  /** How long the store may be away. */
  readonly storePatienceMs: number;
  /** Whether nobody wants it any more. */
  readonly isOver?: () => boolean;
  /** Told before each further attempt. */
  readonly onRetry?: (code: string, attempt: number) => void;
}

/** Works again while the store is away or did not say what it did: with the same bytes, whose ids make that harmless. */
export async function withPatience<T>(work: () => Promise<T>, patience: StorePatience): Promise<T> {
  const { clock, storePatienceMs, isOver, onRetry } = patience;
  const giveUpAt = clock.now() + storePatienceMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!FetchImageError.is(error) || !passingCodes.has(error.code)) throw error;
      const delay = Math.min(50 * 2 ** attempt, 2000);
      if (clock.now() + delay > giveUpAt || isOver?.() === true) throw error;
      onRetry?.(error.code, attempt);
      await new Promise<void>((resolve) => {
        clock.after(delay, resolve);
      });
    }
  }
}

const passingCodes: ReadonlySet<string> = new Set(["FI_STORE_UNAVAILABLE", "FI_APPEND_OUTCOME_UNKNOWN"]);
