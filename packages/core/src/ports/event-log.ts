import type { JsonObject } from "../json.ts";
import type { CancelSignal } from "./cancel-signal.ts";

/**
 * Where a stream must stand for an append to be taken: not existing, or at exactly this last revision.
 * There is no "any": every append names the revision it expects, so that a retry with the same ids is answered
 * as the first time and a zombie is refused.
 */
export type ExpectedRevision = "no-stream" | bigint;

/** A place in the store's total order. Opaque: compare for equality only, hand back as given. */
export type Position = string;

/** A fact as it is handed to the store. */
export interface NewFact {
  /** A lower-case UUID, deterministic for the fact, so that a retried append is recognised. */
  readonly id: string;
  readonly type: string;
  readonly data: JsonObject;
  readonly metadata: JsonObject;
}

/** A fact as it stands in the store. `data` and `metadata` have the fields, and the order of fields, that were given. */
export interface RecordedFact extends NewFact {
  readonly stream: string;
  /** 0 for a stream's first fact, without gaps. */
  readonly revision: bigint;
  readonly position: Position;
}

export interface Appended {
  /** Of the last fact appended. */
  readonly revision: bigint;
  /** Of the last fact appended. */
  readonly position: Position;
}

export interface ReadOptions {
  /** The first revision to be given, inclusive. Default: the stream's first (forwards) or last (backwards). */
  readonly from?: bigint;
  readonly direction?: "forwards" | "backwards";
  /** At most so many facts. Default: all. */
  readonly limit?: number;
}

/** One stream, or the streams whose names begin with one of the prefixes. */
export type EventFilter = { readonly stream: string } | { readonly streamPrefixes: readonly string[] };

export interface ReadAllOptions {
  /** Facts after this position, exclusive. Default: from the beginning. */
  readonly after?: Position;
  readonly filter?: EventFilter;
  /** At most so many facts. */
  readonly limit: number;
}

export interface Page {
  readonly facts: readonly RecordedFact[];
  /** Continue after this position: it is at or past the last fact given, even where a filter gave none.
   *  Undefined only where the store is empty up to here and no `after` was given. */
  readonly next: Position | undefined;
  /** True when nothing that was committed before the call lies after `next`. */
  readonly end: boolean;
}

export type SubscriptionMessage =
  | { readonly kind: "fact"; readonly fact: RecordedFact }
  /** Everything committed before the subscription reached this point has been given; what follows is live. */
  | { readonly kind: "caught-up"; readonly position: Position | undefined };

export interface SubscribeOptions {
  /** Facts after this position, exclusive. Default: from the beginning. */
  readonly after?: Position;
  readonly filter?: EventFilter;
  /** Ends the iteration, without an error. */
  readonly signal: CancelSignal;
}

/**
 * Append-only streams of facts with one total order.
 *
 * Guarantees of every adapter, held by one conformance suite (`test/conformance`):
 * 1. An append is taken whole or not at all; facts of one append are neighbours in their stream.
 * 2. It is taken only at the expected revision; otherwise it rejects with `FI_WRONG_EXPECTED_REVISION`
 *    (details: stream, expected, actual), and nothing is stored.
 * 3. An append whose very facts (ids, in order) already stand at the revisions after `expected` is answered as the
 *    first time. So after `FI_APPEND_OUTCOME_UNKNOWN` the caller repeats the same bytes.
 * 4. Once an append is acknowledged, every later read sees it, and it survives the process (adapters on disk).
 * 5. Positions grow with the order of commits as any reader sees it: a reader that went past a position never
 *    finds a new fact before it. Within a stream, positions follow revisions.
 * 6. An id stands at most once in the store; another stream's id rejects with `FI_APPEND_INVALID`.
 *
 * Errors: `FI_WRONG_EXPECTED_REVISION`, `FI_APPEND_INVALID` (no facts, a malformed id, data that JSON would change),
 * `FI_STORE_UNAVAILABLE` (nothing was stored), `FI_STORE_FULL` (nothing was stored), `FI_APPEND_OUTCOME_UNKNOWN`.
 */
export interface EventLog {
  append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended>;
  /** A stream that does not exist reads as empty. */
  read(stream: string, options?: ReadOptions): Promise<readonly RecordedFact[]>;
  readAll(options: ReadAllOptions): Promise<Page>;
  /** Gives what is there, then what comes, in order, each once, until `signal` aborts. Rejects with `FI_STORE_UNAVAILABLE`
   *  where the store goes away for good; it resumes by itself over a broken connection. */
  subscribe(options: SubscribeOptions): AsyncIterable<SubscriptionMessage>;
  close(): Promise<void>;
}
