import type { EventLog, NewFact } from "@fetch-image/core/fetching";

/** A fact with the place that it is to have in its stream. */
export interface PlacedFact extends NewFact {
  readonly stream: string;
  readonly revision: bigint;
}

/** An event log that can store facts of many streams at once. */
export interface OrderedEventLog extends EventLog {
  /**
   * Stores them all or none, in the log's total order as they are given. `refused`: a stream does not stand right before
   * the first of its facts, or an id stands in the log already; nothing was stored. Errors are those of `append`.
   */
  appendInOrder(facts: readonly PlacedFact[]): Promise<"stored" | "refused">;
}

export function storesInOrder(log: EventLog): log is OrderedEventLog {
  return "appendInOrder" in log;
}
