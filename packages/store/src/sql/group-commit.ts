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
  /** Whether batches are done elsewhere than on this thread, so that the next one may be on its way while outcomes of the
   *  one before are handed on. */
  readonly elsewhere: boolean;
}

/** Of a batch, the part that has to wait when it is answered, for the next one to be sent first. */
const enough = 1 / 4;

/**
 * Does items in batches, one batch at a time, in the order they came, without timers: what comes in while a batch is in
 * flight makes the next one, and what comes in during one turn of the event loop goes together. Whoever gets an outcome
 * has a lot to do, as a rule: where enough waits already, it is sent before the outcomes are handed on.
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
    let sent: Batch<Item, Outcome> | undefined;
    while (sent !== undefined || this.#waiting.length > 0) {
      if (sent === undefined) {
        await turn();
        sent = this.#send(this.#take());
      }
      const { entries, answer } = sent;
      sent = undefined;
      const { outcomes, error } = await answer;
      if (outcomes === undefined) {
        await this.#fail(entries, error);
        continue;
      }
      if (this.#options.elsewhere && this.#waiting.length >= entries.length * enough) {
        sent = this.#send(this.#take());
        // Only then has it left.
        await turn();
      }
      settle(entries, outcomes);
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

  #send(entries: readonly Entry<Item, Outcome>[]): Batch<Item, Outcome> {
    const answer = this.#options.flush(entries.map(({ item }) => item)).then(
      (outcomes) => ({ outcomes }),
      (error: unknown) => ({ error }),
    );
    return { entries, answer };
  }

  // Nothing else is sent meanwhile: what waits may come after one of these in its order.
  async #fail(entries: readonly Entry<Item, Outcome>[], error: unknown): Promise<void> {
    if (entries.length > 1 && this.#options.isOneItemsFault(error)) {
      for (const entry of entries) {
        const alone = await this.#send([entry]).answer;
        if (alone.outcomes === undefined) await this.#fail([entry], alone.error);
        else settle([entry], alone.outcomes);
      }
    } else {
      for (const entry of entries) entry.reject(this.#options.failed(error, entry.item));
    }
  }
}

function settle<Item, Outcome>(entries: readonly Entry<Item, Outcome>[], outcomes: readonly (Outcome | Error)[]): void {
  for (let index = 0; index < entries.length; index++) {
    const outcome = outcomes[index];
    if (outcome instanceof Error) entries[index]?.reject(outcome);
    else if (outcome !== undefined) entries[index]?.resolve(outcome);
  }
}

/** Resolves in the next turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Entries that are in flight. */
interface Batch<Item, Outcome> {
  readonly entries: readonly Entry<Item, Outcome>[];
  /** Never rejects, as it may come before it is waited for. */
  readonly answer: Promise<{ readonly outcomes?: readonly (Outcome | Error)[]; readonly error?: unknown }>;
}

interface Entry<Item, Outcome> {
  readonly item: Item;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}
