import type { CancelSignal } from "@fetch-image/core/registry-image";

/** Settles as `work` does, or with undefined as soon as the signal aborts, whatever becomes of `work`. */
export function untilAborted<T>(work: Promise<T>, signal: CancelSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      work.catch(() => undefined);
      resolve(undefined);
      return;
    }
    const abort = (): void => resolve(undefined);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Waits so long, or until the signal aborts. */
export async function pause(ms: number, signal: CancelSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await untilAborted(new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))), signal);
  clearTimeout(timer);
}
