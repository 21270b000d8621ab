/**
 * Lets appends of one stream go one after the other, in the order they came, and only so many at the same time in all.
 * Appends of different streams do not wait for each other beyond that.
 */
export class Turns {
  readonly #streams = new Map<string, Promise<unknown>>();
  readonly #waiting: { readonly weight: number; readonly go: () => void }[] = [];
  #free: number;

  constructor(capacity: number) {
    this.#free = capacity;
  }

  /** `weight`: at most the capacity. */
  async take<T>(stream: string, weight: number, work: () => Promise<T>): Promise<T> {
    const before = this.#streams.get(stream) ?? Promise.resolve();
    const mine = before.then(() => this.#within(weight, work));
    const settled = mine.catch(() => undefined);
    this.#streams.set(stream, settled);
    try {
      return await mine;
    } finally {
      if (this.#streams.get(stream) === settled) this.#streams.delete(stream);
    }
  }

  /** Resolves when everything that has come so far is done. */
  async idle(): Promise<void> {
    await Promise.all(this.#streams.values());
  }

  async #within<T>(weight: number, work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length === 0 && this.#free >= weight) this.#free -= weight;
    else await new Promise<void>((go) => this.#waiting.push({ weight, go }));
    try {
      return await work();
    } finally {
      this.#free += weight;
      this.#next();
    }
  }

  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined && first.weight <= this.#free; first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= first.weight;
      first.go();
    }
  }
}
