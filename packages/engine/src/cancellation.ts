import type { CancelSignal } from "@fetch-image/core/fetching";

/** An abort controller and its signal in one, for what never leaves our own ports: a real one costs ten times as much. */
export class Cancellation implements CancelSignal {
  #aborted = false;
  #reason: unknown = undefined;
  /** Made when the first comes. */
  #listeners: Set<() => void> | undefined;

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners ??= new Set();
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners?.delete(listener);
  }

  abort(reason: string): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    if (listeners !== undefined) for (const listener of listeners) listener();
  }
}
