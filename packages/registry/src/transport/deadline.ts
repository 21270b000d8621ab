import { type CancelSignal, FetchImageError } from "@fetch-image/core/registry-image";

/** A signal for the HTTP client whose `reason` is the error to reject with. Dispose of it when done. */
export interface Deadline extends Disposable {
  readonly signal: CancelSignal;
  abort(reason: FetchImageError): void;
}

/**
 * Aborts with `FI_ABORTED` when the caller's signal does and with `FI_REGISTRY_TIMEOUT` after `ms`, if given.
 * Hand-made, because `AbortSignal.any` on a signal that lives for a whole build keeps every child alive on Node 20, and
 * because an `AbortController` costs a check more than its request does.
 */
export function deadline(
  cancel: CancelSignal | undefined,
  limit?: { readonly ms: number; readonly host: string },
): Deadline {
  const stop = new Stop();
  const onCancel = (): void => stop.abort(aborted(cancel?.reason));
  const timer = limit && setTimeout(() => stop.abort(tooLong(limit.ms, limit.host)), limit.ms);
  timer?.unref();
  if (cancel?.aborted) onCancel();
  else cancel?.addEventListener("abort", onCancel, { once: true });
  return {
    signal: stop,
    abort: (reason) => stop.abort(reason),
    [Symbol.dispose]() {
      clearTimeout(timer);
      cancel?.removeEventListener("abort", onCancel);
    },
  };
}

class Stop implements CancelSignal {
  reason: unknown = undefined;
  aborted = false;
  /** Made when the first comes. */
  #listeners: Set<() => void> | undefined;

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners ??= new Set();
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners?.delete(listener);
  }

  abort(reason: FetchImageError): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    if (listeners !== undefined) for (const listener of listeners) listener();
  }
}

/** Waits for `work`, which others may be waiting for as well, no longer than `signal` allows. */
export function unlessAborted<T>(work: Promise<T>, signal: CancelSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(reasonOf(signal));
    const letGo = (): void => signal.removeEventListener("abort", onAbort);
    work.then(resolve, reject).finally(letGo);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
}

/** Why the signal of a {@link deadline} is aborted. */
export function reasonOf(signal: CancelSignal): FetchImageError {
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
