/** A promise settled from outside, made when it is first asked for: one that fails where nobody asks is no defect. */
export class Deferred<T> {
  #promise: Promise<T> | undefined;
  #waiting: { readonly resolve: (value: T) => void; readonly reject: (error: unknown) => void } | undefined;
  #outcome: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown } | undefined;

  get promise(): Promise<T> {
    this.#promise ??= this.#make();
    return this.#promise;
  }

  resolve(value: T): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = { ok: true, value };
    this.#waiting?.resolve(value);
  }

  reject(error: unknown): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = { ok: false, error };
    this.#waiting?.reject(error);
  }

  #make(): Promise<T> {
    if (this.#outcome?.ok === true) return Promise.resolve(this.#outcome.value);
    return new Promise((resolve, reject) => {
      if (this.#outcome === undefined) this.#waiting = { resolve, reject };
      else if (!this.#outcome.ok) reject(this.#outcome.error);
    });
  }
}
