import { setMaxListeners } from "node:events";
import { type CancelSignal, FetchImageError } from "@fetch-image/core/registry-image";

/** An `AbortSignal` for the HTTP client whose `reason` is the error to reject with. Dispose of it when done. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  abort(reason: FetchImageError): void;
}

/**
 * Aborts with `FI_ABORTED` when the caller's signal does and with `FI_REGISTRY_TIMEOUT` after `ms`, if given.
 * Hand-made, because `AbortSignal.any` on a signal that lives for a whole build keeps every child alive on Node 20.
 */
export function deadline(
  cancel: CancelSignal | undefined,
  limit?: { readonly ms: number; readonly host: string },
): Deadline {
  const controller = new AbortController();
  // One signal serves many requests at once, here and at the caller's; that is no leak to warn of.
  for (const signal of [controller.signal, cancel]) if (signal instanceof AbortSignal) setMaxListeners(0, signal);
  const onCancel = (): void => controller.abort(aborted(cancel?.reason));
  const timer = limit && setTimeout(() => controller.abort(tooLong(limit.ms, limit.host)), limit.ms);
  timer?.unref();
  if (cancel?.aborted) onCancel();
  else cancel?.addEventListener("abort", onCancel, { once: true });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]() {
      clearTimeout(timer);
      cancel?.removeEventListener("abort", onCancel);
    },
  };
}

/** Waits for `work`, which others may be waiting for as well, no longer than `signal` allows. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort: (() => void) | undefined;
  const interrupted = new Promise<never>((_, reject) => {
    onAbort = () => reject(reasonOf(signal));
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    if (onAbort) signal.removeEventListener("abort", onAbort);
  }
}

/** Why the signal of a {@link deadline} is aborted. */
export function reasonOf(signal: AbortSignal): FetchImageError {
  const reason: unknown = signal.reason;
  return FetchImageError.is(reason) ? reason : aborted(reason);
}

export function aborted(reason: unknown): FetchImageError {
  return new FetchImageError("FI_ABORTED", {
    message: "the request to the registry was aborted",
    ...(reason instanceof Error ? { cause: reason } : {}),
  });
}

function tooLong(ms: number, host: string): FetchImageError {
  return new FetchImageError("FI_REGISTRY_TIMEOUT", {
    message: `${host} did not finish its answer within ${ms} ms`,
    details: { host, timeoutMs: ms, reason: "exchange" },
  });
}
