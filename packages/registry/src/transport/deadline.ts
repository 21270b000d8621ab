import { type CancelSignal, FetchImageError } from "@fetch-image/core/registry-image";
import { setMaxListeners } from "node:events";

/** A signal for the HTTP client whose `reason` is the error to reject with. Dispose of it when done. */
export interface Deadline extends Disposable {
  readonly signal: CancelSignal;
  abort(reason: FetchImageError): void;
}

/** How long something may take, and who is to blame where it takes longer. */
interface Limit {
  readonly ms: number;
  readonly host: string;
}

/**
 * Aborts with `FI_ABORTED` when the caller's signal does and with `FI_REGISTRY_TIMEOUT` after `ms`, if given.
 * Hand-made, because `AbortSignal.any` on a signal that lives for a whole build keeps every child alive on Node 20, and
 * because an `AbortController` costs a check more than its request does.
 */
export function deadline(cancel: CancelSignal | undefined, limit?: Limit): Deadline {
  return new Stop(cancel, limit);
}

class Stop implements Deadline, CancelSignal {
  reason: unknown = undefined;
  aborted = false;
  readonly #cancel: CancelSignal | undefined;
  readonly #onCancel: () => void;
  readonly #timer: NodeJS.Timeout | undefined;
  /** Few, as a rule one. */
  #listeners: (() => void)[] | undefined;

  constructor(cancel: CancelSignal | undefined, limit: Limit | undefined) {
    this.#cancel = cancel;
    const onCancel = () => this.abort(aborted(cancel?.reason));
    this.#onCancel = onCancel;
    if (limit !== undefined) this.#timer = setTimeout(expire, limit.ms, this, limit).unref();
    // A caller may have one signal for many questions: Node would warn of a leak that is none.
    if (cancel instanceof AbortSignal) setMaxListeners(0, cancel);
    if (cancel?.aborted === true) onCancel();
    else cancel?.addEventListener("abort", onCancel, { once: true });
  }

  get signal(): CancelSignal {
    return this;
  }

  addEventListener(_type: "abort", listener: () => void): void {
    if (this.#listeners === undefined) this.#listeners = [listener];
    else if (!this.#listeners.includes(listener)) this.#listeners.push(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    const at = this.#listeners?.indexOf(listener) ?? -1;
    if (at !== -1) this.#listeners?.splice(at, 1);
  }

  abort(reason: FetchImageError): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    if (listeners !== undefined) for (const listener of listeners) listener();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#cancel?.removeEventListener("abort", this.#onCancel);
  }
}

function expire(stop: Stop, { ms, host }: Limit): void {
  stop.abort(tooLong(ms, host));
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
