import type { EventLog, Position, RecordedFact } from "@fetch-image/core/fetching";
import type { Patience } from "./patience.ts";

const pageSize = 512;

/** Reads a log fact by fact, in its total order, a page at a time. */
export class Cursor {
  readonly #log: EventLog;
  readonly #patience: Patience;
  #facts: readonly RecordedFact[] = [];
  #index = 0;
  #next: Position | undefined;

  constructor(log: EventLog, after: Position | undefined, patience: Patience) {
    this.#log = log;
    this.#next = after;
    this.#patience = patience;
  }

  /** The fact that stands next; undefined where the log has no more at this time. */
  async peek(): Promise<RecordedFact | undefined> {
    while (this.#index === this.#facts.length) {
      const after = this.#next === undefined ? {} : { after: this.#next };
      const page = await this.#patience.during(() => this.#log.readAll({ ...after, limit: pageSize }));
      this.#facts = page.facts;
      this.#index = 0;
      this.#next = page.next;
      if (page.facts.length === 0 && page.end) return undefined;
    }
    return this.#facts[this.#index];
  }

  /** Goes past the fact that was peeked at. */
  pass(): void {
    this.#index++;
  }
}
