/** A read of a whole stream, from a revision on. */
export interface StreamRead {
  readonly stream: string;
  readonly from: bigint;
}

interface Waiting<Fact> {
  readonly read: StreamRead;
  readonly resolve: (rows: readonly Fact[]) => void;
  readonly reject: (error: unknown) => void;
}

const maxReads = 256;
/** One that is under way, and one that is ready when it ends; what comes in meanwhile makes the next statement. */
const maxInFlight = 2;

/**
 * Reads that are asked for at the same time go in one statement: builds that open together then cost one round trip
 * instead of one each. No timers.
 */
export class ReadBatch<Fact> {
  readonly #query: (reads: readonly StreamRead[]) => Promise<readonly (readonly Fact[])[]>;
  #waiting: Waiting<Fact>[] = [];
  #inFlight = 0;
  #scheduled = false;

  /** `query` gives each read's facts, in the order of the reads. */
  constructor(query: (reads: readonly StreamRead[]) => Promise<readonly (readonly Fact[])[]>) {
    this.#query = query;
  }

  read(read: StreamRead): Promise<readonly Fact[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ read, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= maxInFlight || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#do(this.#waiting.splice(0, maxReads));
      this.#schedule();
    });
  }

  async #do(batch: readonly Waiting<Fact>[]): Promise<void> {
    this.#inFlight++;
    try {
      const facts = await this.#query(batch.map(({ read }) => read));
      for (const [index, { resolve }] of batch.entries()) resolve(facts[index] ?? []);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#inFlight--;
      this.#schedule();
    }
  }
}
