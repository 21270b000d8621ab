/** What one item costs in a batch, and how a batch is done. */
export interface GroupCommitOptions<Item, Outcome> {
  readonly maxItems: number;
  readonly maxSize: number;
  readonly sizeOf: (item: Item) => number;
  /** Does a batch in one transaction; one outcome per item, in order, an error where it failed. A rejection is every item's. */
  readonly flush: (items: readonly Item[]) => Promise<readonly (Outcome | Error)[]>;
  /** What a rejected batch is to one of its items. */
  readonly failed: (error: unknown, item: Item) => Error;
  /** Whether a rejected batch failed for the sake of one item's content: then each is tried by itself. */
  readonly isOneItemsFault: (error: unknown) => boolean;
  /** The most that waits, by number and by size together; what comes then is turned away with what this gives. */
  readonly bound: { readonly items: number; readonly size: number; readonly full: (waiting: number) => Error };
}

/**
 * Does items in batches, one batch at a time, in the order they came, without timers: what comes in while a batch is in
 * flight makes the next one, and what comes in during one turn of the event loop goes together.
 */
export class GroupCommit<Item, Outcome> {
  readonly #options: GroupCommitOptions<Item, Outcome>;
  #waiting: Entry<Item, Outcome>[] = [];
  #waitingSize = 0;
  #running: Promise<void> | undefined;

  constructor(options: GroupCommitOptions<Item, Outcome>) {
    this.#options = options;
  }

  add(item: Item): Promise<Outcome> {
    const { bound, sizeOf, failed } = this.#options;
    const size = sizeOf(item);
    const tooMany = this.#waiting.length >= bound.items || this.#waitingSize + size > bound.size;
    if (tooMany && this.#waiting.length > 0) return Promise.reject(failed(bound.full(this.#waiting.length), item));
    this.#waitingSize += size;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing is waiting or in flight. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      await this.#do(this.#take());
    }
    this.#running = undefined;
  }

  #take(): Entry<Item, Outcome>[] {
    const { maxItems, maxSize, sizeOf } = this.#options;
    let size = 0;
    let count = 0;
    for (const { item } of this.#waiting) {
      const itsSize = sizeOf(item);
      if (count === maxItems || (count > 0 && size + itsSize > maxSize)) break;
      size += itsSize;
      count++;
    }
    this.#waitingSize -= size;
    return this.#waiting.splice(0, count);
  }

  async #do(batch: readonly Entry<Item, Outcome>[]): Promise<void> {
    try {
      const outcomes = await this.#options.flush(batch.map(({ item }) => item));
      for (let index = 0; index < batch.length; index++) {
        const outcome = outcomes[index];
        if (outcome instanceof Error) batch[index]?.reject(outcome);
        else if (outcome !== undefined) batch[index]?.resolve(outcome);
      }
    } catch (error) {
      if (batch.length > 1 && this.#options.isOneItemsFault(error)) {
        for (const entry of batch) await this.#do([entry]);
      } else {
        for (const entry of batch) entry.reject(this.#options.failed(error, entry.item));
      }
    }
  }
}

interface Entry<Item, Outcome> {
  readonly item: Item;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}
