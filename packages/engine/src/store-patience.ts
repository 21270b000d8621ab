import { type Clock, FetchImageError } from "@fetch-image/core/fetching";

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
export async function withPatience<T>(
  work: () => Promise<T>,
  patience: StorePatience,
  begunAt: number = patience.clock.now(),
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    return await workAgain(work, { error, begunAt }, patience);
  }
}

/** As {@link withPatience}, for who has tried it once: it failed with `error`, and began at `begunAt`. */
export async function workAgain<T>(
  work: () => Promise<T>,
  first: { readonly error: unknown; readonly begunAt: number },
  { clock, storePatienceMs, isOver, onRetry }: StorePatience,
): Promise<T> {
  let { error } = first;
  for (let attempt = 1; ; attempt++) {
    if (!isPassing(error)) throw error;
    const delay = Math.min(50 * 2 ** attempt, 2000);
    if (clock.now() + delay > first.begunAt + storePatienceMs || isOver?.() === true) throw error;
    onRetry?.(error.code, attempt);
    await new Promise<void>((resolve) => {
      clock.after(delay, resolve);
    });
    if (isOver?.() === true) throw error;
    try {
      return await work();
    } catch (again) {
      error = again;
    }
  }
}

/** Whether the store is away, or did not say what it did. */
export function isPassing(error: unknown): error is FetchImageError {
  return FetchImageError.is(error) && passingCodes.has(error.code);
}

const passingCodes: ReadonlySet<string> = new Set(["FI_STORE_UNAVAILABLE", "FI_APPEND_OUTCOME_UNKNOWN"]);
