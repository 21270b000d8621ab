import { type CancelSignal, type Clock, FetchImageError } from "@fetch-image/core";

/** The machine's own time. A timer keeps the process alive: somebody waits for it. */
export const machineClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => {
      clearTimeout(timer);
    };
  },
};

/** Resolves after `ms`, or as soon as the signal aborts. */
export function pause(clock: Clock, ms: number, signal: CancelSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal.addEventListener("abort", end);
  });
}

export function throwIfAborted(signal: CancelSignal): void {
  if (signal.aborted) throw new FetchImageError("FI_ABORTED", { message: "the step was called off" });
}

/** A real `AbortSignal` that follows the port's; `end` lets go of it. */
export function following(signal: CancelSignal): { readonly controller: AbortController; readonly end: () => void } {
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort(calledOff);
  };
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  return {
    controller,
    end: () => {
      signal.removeEventListener("abort", abort);
    },
  };
}

const calledOff = "the step was called off";

/** A promise, and who settles it. Nobody has to wait for it: a rejection that nobody hears of is no defect. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.promise.catch(() => {});
  }
}
