/** Tells many at once, and only those who still listen, that something is over. */
export class Ending {
  readonly #listeners = new Set<(reason: unknown) => void>();
  #reason: { readonly reason: unknown } | undefined;

  get isOver(): boolean {
    return this.#reason !== undefined;
  }

  end(reason: unknown): void {
    if (this.#reason !== undefined) return;
    this.#reason = { reason };
    for (const listener of this.#listeners) listener(reason);
    this.#listeners.clear();
  }

  /** Calls once, at once where it is over already. The returned function stops listening. */
  onEnd(listener: (reason: unknown) => void): () => void {
    if (this.#reason !== undefined) {
      listener(this.#reason.reason);
      return () => undefined;
    }
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Settles as `work` does, or rejects with the reason as soon as it is over. */
  orEnd<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = this.onEnd(reject);
      work.then(resolve, reject).finally(stop);
    });
  }
}

/** Settles as `work` does, or rejects with what `late` gives after so long. What becomes of `work` then is nobody's business. */
export function within<T>(work: Promise<T>, timeoutMs: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
