import { createHash } from "node:crypto";
import type { RecordedFact } from "@fetch-image/core/fetching";

/** What two logs have in common so far. */
export class Tally {
  readonly #hash = createHash("sha256");
  facts = 0;
  streams = 0;

  add(fact: RecordedFact, text: string): void {
    this.#hash.update(text).update("\n");
    this.facts++;
    if (fact.revision === 0n) this.streams++;
  }

  digest(): string {
    return `sha256:${this.#hash.copy().digest("hex")}`;
  }
}

/** Everything of a fact but its position, on one line; the same for the same fact in every log. */
export function factText({ stream, revision, id, type, data, metadata }: RecordedFact): string {
  return JSON.stringify([stream, String(revision), id, type, data, metadata]);
}
