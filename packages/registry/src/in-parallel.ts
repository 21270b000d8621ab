import type { CancelSignal } from "@fetch-image/core/registry-image";
import { aborted, deadline, reasonOf } from "./transport/deadline.ts";

/**
 * Does the work for each item, in their order and `width` of them at a time. The first failure is the one that is seen:
 * nothing starts after it, and the signal that the work was given ends what is under way.
 */
export function inParallel<T>(
  items: readonly T[],
  { width, signal }: { readonly width: number; readonly signal: CancelSignal },
  work: (item: T, signal: CancelSignal) => Promise<void>,
): Promise<void> {
  const [first] = items;
  if (first === undefined || items.length > 1) return together(items, { width, signal }, work);
  // Nothing else is under way that its failure would have to end.
  return signal.aborted ? Promise.reject(aborted(signal.reason)) : work(first, signal);
}

async function together<T>(
  items: readonly T[],
  { width, signal: cancel }: { readonly width: number; readonly signal: CancelSignal },
  work: (item: T, signal: CancelSignal) => Promise<void>,
): Promise<void> {
  using limit = deadline(cancel);
  const { signal } = limit;
  const left = items.values();
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    try {
      for (const item of left) {
        if (failure) return;
        if (signal.aborted) throw reasonOf(signal);
        await work(item, signal);
      }
    } catch (error) {
      failure ??= { error };
      limit.abort(aborted(new Error("another of several requests failed")));
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  if (failure) throw failure.error;
}
