import { type CancelSignal, FetchImageError } from "@fetch-image/core/registry-image";

/** A caller's signal, as unpacking asks it. Dispose of it when done. */
export interface Cancellation extends Disposable {
  /** Throws `FI_ABORTED`. */
  throwIfAborted(): void;
  /** Rejects with `FI_ABORTED` as soon as the signal is aborted, whatever the work does. */
  unlessAborted<T>(work: Promise<T>): Promise<T>;
  /** Calls back, once, when the signal is aborted. */
  onAbort(callback: (reason: FetchImageError) => void): void;
}

export function createCancellation(signal: CancelSignal): Cancellation {
  const callbacks = new Set<(reason: FetchImageError) => void>();
  const reason = (): FetchImageError =>
    new FetchImageError("FI_ABORTED", {
      message: "unpacking was aborted",
      ...(signal.reason instanceof Error ? { cause: signal.reason } : {}),
    });
  const onAbort = (): void => {
    for (const callback of callbacks) callback(reason());
  };
  signal.addEventListener("abort", onAbort, { once: true });
  return {
    throwIfAborted() {
      if (signal.aborted) throw reason();
    },
    unlessAborted: (work) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) reject(reason());
        else callbacks.add(reject);
        const release = (): boolean => callbacks.delete(reject);
        work.then(resolve, reject).finally(release);
      }),
    onAbort(callback) {
      if (signal.aborted) callback(reason());
      else callbacks.add(callback);
    },
    [Symbol.dispose]() {
      signal.removeEventListener("abort", onAbort);
      callbacks.clear();
    },
  };
}
