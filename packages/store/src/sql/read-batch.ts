/** A read of a whole stream, from a revision on. */
export interface StreamRead {
  readonly stream: string;
  readonly from: bigint;
}

interface Waiting<Row> {
  readonly read: StreamRead;
  readonly resolve: (rows: readonly Row[]) => void;
  readonly reject: (error: unknown) => void;
}

const maxReads = 256;

/**
 * Reads that are asked for during one turn of the event loop go in one statement: builds that open together then cost one
 * round trip instead of one each. Nothing waits for a read that is under way.
 */
export class ReadBatch<Row> {
  readonly #query: (reads: readonly StreamRead[]) => Promise<readonly (readonly Row[])[]>;
  #waiting: Waiting<Row>[] = [];

  /** `query` gives each read's rows, in the order of the reads. */
  constructor(query: (reads: readonly StreamRead[]) => Promise<readonly (readonly Row[])[]>) {
    this.#query = query;
  }

  read(read: StreamRead): Promise<readonly Row[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ read, resolve, reject });
      if (this.#waiting.length === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let from = 0; from < waiting.length; from += maxReads) void this.#do(waiting.slice(from, from + maxReads));
  }

  async #do(batch: readonly Waiting<Row>[]): Promise<void> {
    try {
      const rows = await this.#query(batch.map(({ read }) => read));
      for (const [index, { resolve }] of batch.entries()) resolve(rows[index] ?? []);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
