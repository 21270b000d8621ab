/** What one item costs in a batch, and how a batch is done. */
export interface GroupCommitOptions<Item, Outcome> {
  readonly maxItems: number;
  readonly maxSize: number;
  readonly sizeOf: (item: Item) => number;
  /** What an item is about: one is not sent before those of the same key that were sent earlier have been answered. */
  readonly keyOf: (item: Item) => string;
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
  /** How many batches may be on their way at once: more than one where they are done one behind the other, and whoever
   *  does them need not wait for the next one. */
  readonly atOnce: () => number;
}

/** Of a batch, the part that has to wait when it is answered, for the next one to be sent first. */
const enough = 1 / 4;

/** Of a batch on its way, the part that has to wait for another one to be sent behind it: many small ones cost more. */
const enoughBehind = 1 / 2;

/** So many are one batch at least, where as many wait: to divide them costs more than what it saves. */
const undivided = 16;

/**
 * Does items in batches, in the order they came, without timers: what comes in while a batch is in flight makes the next
 * one, and what comes in during one turn of the event loop goes together; where it is much, one half after the other.
 * Whoever gets an outcome has a lot to do, as a rule: where enough waits already, it is sent before the outcomes are handed
 * on, or even behind the batch in flight (docs/decisions/0022).
 */
export class GroupCommit<Item, Outcome> {
  readonly #options: GroupCommitOptions<Item, Outcome>;
  #waiting: Entry<Item, Outcome>[] = [];
  #waitingSize = 0;
  /**
   * On their way, in the order in which they were sent. No `Set`: as that makes itself anew now and then, what it was keeps
   * what it has become, and each batch that stood in one of them stays until V8's next full collection.
   */
  #sent: readonly Batch<Item, Outcome>[] = [];
  /** Resolves when the outcomes of the batch that was sent last, and so of all before it, are handed on. */
  #handedOn: Promise<void> = Promise.resolve();
  /** Batches whose outcomes are not handed on. */
  #owed = 0;
  /** Items of them. */
  #owedItems = 0;
  #isToSend = false;

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
      this.#sendSoon();
    });
  }

  /** Resolves when nothing is waiting or in flight. */
  async idle(): Promise<void> {
    for (let last; last !== this.#handedOn || this.#waiting.length > 0;) {
      last = this.#handedOn;
      await last;
      if (this.#waiting.length > 0) await turn();
    }
  }

  /** At the end of the turn. */
  #sendSoon(): void {
    if (this.#isToSend || this.#waiting.length === 0) return;
    this.#isToSend = true;
    setImmediate(() => {
      this.#isToSend = false;
      this.#send();
    });
  }

  /** Sends what may be sent; whether there was anything. */
  #send(): boolean {
    let hasSent = false;
    while (this.#maySend()) {
      const entries = this.#take();
      if (entries.length === 0) break;
      const batch = { entries, keys: new Set(entries.map(({ item }) => this.#options.keyOf(item))) };
      this.#sent = [...this.#sent, batch];
      this.#owed++;
      this.#owedItems += entries.length;
      this.#handedOn = this.#run(batch, this.#handedOn);
      hasSent = true;
    }
    return hasSent;
  }

  #maySend(): boolean {
    const atOnce = this.#options.atOnce();
    if (this.#waiting.length === 0 || this.#sent.length >= atOnce) return false;
    // Outcomes that wait for those of a batch before them are held here, beyond every bound.
    if (this.#owed > atOnce) return false;
    const last = this.#sent.at(-1);
    return last === undefined || this.#waiting.length >= last.entries.length * enoughBehind;
  }

  /** Of what waits, the first that make a batch; what is about the same as a batch on its way goes on waiting. */
  #take(): Entry<Item, Outcome>[] {
    const { maxSize, sizeOf, keyOf } = this.#options;
    const most = this.#mostItems();
    const taken: Entry<Item, Outcome>[] = [];
    const left: Entry<Item, Outcome>[] = [];
    let size = 0;
    let index = 0;
    for (; index < this.#waiting.length; index++) {
      const entry = this.#waiting[index];
      if (entry === undefined || taken.length === most) break;
      if (this.#isOnItsWay(keyOf(entry.item))) {
        left.push(entry);
        continue;
      }
      const itsSize = sizeOf(entry.item);
      if (taken.length > 0 && size + itsSize > maxSize) break;
      size += itsSize;
      taken.push(entry);
    }
    this.#waitingSize -= size;
    this.#waiting = left.concat(this.#waiting.slice(index));
    return taken;
  }

  /**
   * Where batches are done elsewhere, half of what waits and of what is not answered to those who wait for it, at most: a
   * batch of everything would have this thread idle while it is done, and whoever does it while its outcomes are handed on
   * (docs/decisions/0022).
   */
  #mostItems(): number {
    const { maxItems, elsewhere } = this.#options;
    if (!elsewhere) return maxItems;
    return Math.min(maxItems, Math.max(undivided, Math.ceil((this.#waiting.length + this.#owedItems) / 2)));
  }

  #isOnItsWay(key: string): boolean {
    return this.#sent.some(({ keys }) => keys.has(key));
  }

  /** Resolves, and never rejects, when the outcomes are handed on: after those of the batches before. */
  async #run(batch: Batch<Item, Outcome>, before: Promise<void>): Promise<void> {
    const { entries } = batch;
    const { outcomes, error } = await this.#flush(entries);
    if (outcomes === undefined) {
      await before;
      await this.#fail(entries, error);
      this.#answered(batch);
    } else {
      this.#answered(batch);
      // Only in the next turn has it left.
      if (this.#options.elsewhere && this.#waiting.length >= entries.length * enough && this.#send()) await turn();
      await before;
      settle(entries, outcomes);
    }
    this.#owed--;
    this.#owedItems -= entries.length;
    this.#sendSoon();
  }

  #answered(batch: Batch<Item, Outcome>): void {
    this.#sent = this.#sent.filter((each) => each !== batch);
  }

  /** Never rejects. */
  #flush(entries: readonly Entry<Item, Outcome>[]): Promise<Answer<Outcome>> {
    return this.#options.flush(entries.map(({ item }) => item)).then(
      (outcomes) => ({ outcomes }),
      (error: unknown) => ({ error }),
    );
  }

  // Nothing of the same keys is sent meanwhile: what waits may come after one of these in its order.
  async #fail(entries: readonly Entry<Item, Outcome>[], error: unknown): Promise<void> {
    if (entries.length > 1 && this.#options.isOneItemsFault(error)) {
      for (const entry of entries) {
        const alone = await this.#flush([entry]);
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

/** Entries that are in flight, and what they are about. */
interface Batch<Item, Outcome> {
  readonly entries: readonly Entry<Item, Outcome>[];
  readonly keys: ReadonlySet<string>;
}

interface Answer<Outcome> {
  readonly outcomes?: readonly (Outcome | Error)[];
  readonly error?: unknown;
}

interface Entry<Item, Outcome> {
  readonly item: Item;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}
