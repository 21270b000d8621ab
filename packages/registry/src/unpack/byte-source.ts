/** Reads exactly as much of a stream of chunks as is asked for, without holding more than a chunk. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #before = 0;
  #ended = false;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** How many bytes were read. */
  get position(): number {
    return this.#before + this.#at;
  }

  /** The next bytes as they lie, at least one and at most `limit`; undefined at the end. Valid until the next call. */
  async some(limit: number): Promise<Buffer | undefined> {
    if (this.#at === this.#chunk.length && !(await this.#fill())) return undefined;
    const start = this.#at;
    this.#at = Math.min(start + limit, this.#chunk.length);
    return this.#chunk.subarray(start, this.#at);
  }

  /** Exactly `length` bytes; fewer, or none, only where the stream ends before. */
  async take(length: number): Promise<Buffer> {
    if (this.#chunk.length - this.#at >= length) {
      this.#at += length;
      return this.#chunk.subarray(this.#at - length, this.#at);
    }
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      const part = await this.some(missing);
      if (!part) break;
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** Whether there were that many. */
  async skip(length: number): Promise<boolean> {
    for (let missing = length; missing > 0;) {
      const part = await this.some(missing);
      if (!part) return false;
      missing -= part.length;
    }
    return true;
  }

  /** All that is left, as it lies. */
  async *rest(): AsyncGenerator<Buffer> {
    for (let part; (part = await this.some(Number.POSITIVE_INFINITY));) yield part;
  }

  async #fill(): Promise<boolean> {
    while (!this.#ended) {
      const next = await this.#chunks.next();
      if (next.done) this.#ended = true;
      else if (next.value.length > 0) {
        this.#before += this.#chunk.length;
        this.#chunk = next.value;
        this.#at = 0;
        return true;
      }
    }
    return false;
  }
}
