import {
  type Appended,
  type Clock,
  type EventLog,
  type ExpectedRevision,
  FetchImageError,
  type Logger,
  type NewFact,
} from "@fetch-image/core/fetching";
import { workAgain } from "./store-patience.ts";
import type { Ticker } from "./ticker.ts";

export interface BuildWriterOptions {
  readonly eventLog: EventLog;
  readonly stream: string;
  readonly ticker: Ticker;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly storePatienceMs: number;
  /** The stream's last revision when the build was read; undefined where it did not exist. */
  readonly revision: bigint | undefined;
  /** Facts that go before the first that is submitted: the build's opening, or its adoption. */
  readonly preface: (expected: ExpectedRevision) => NewFact[];
  /** Why a conflict came: another node adopted the build, say. */
  readonly onConflict: (conflict: FetchImageError) => Promise<FetchImageError>;
  /** Nothing more is written; the build may be opened anew. */
  readonly onFailure: (error: FetchImageError) => void;
}

/** Who has facts written, and is told what became of them. */
export interface Writes {
  /** They are durable. */
  written(): void;
  /** Nothing more of the build is written here. */
  refused(error: FetchImageError): void;
}

interface Waiting {
  readonly facts: readonly NewFact[];
  readonly writes: Writes;
}

/**
 * The one sequencer of an open build: merges whatever its parallel fetches wait to append into one append with one
 * expected revision. It succeeds or fails whole. After a failure nothing more is written: memory is ahead of the log.
 */
export class BuildWriter {
  readonly #options: BuildWriterOptions;
  #revision: bigint | undefined;
  #isPrefaced = false;
  #queue: Waiting[] = [];
  #flushing: Promise<void> | undefined;
  #dead: FetchImageError | undefined;

  constructor(options: BuildWriterOptions) {
    this.#options = options;
    this.#revision = options.revision;
  }

  /** Why nothing more is written. */
  get failure(): FetchImageError | undefined {
    return this.#dead;
  }

  /** Facts that are not yet on their way to the store. */
  get waiting(): number {
    return this.#queue.reduce((sum, { facts }) => sum + facts.length, 0);
  }

  /** Resolves once the facts are durable. Facts of one call are neighbours in the stream, calls keep their order. */
  submit(facts: readonly NewFact[]): Promise<void> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    return new Promise((written, refused) => {
      this.write(facts, { written, refused });
    });
  }

  /** As {@link submit}, for who is called rather than waits. */
  write(facts: readonly NewFact[], writes: Writes): void {
    this.#queue.push({ facts, writes });
    this.#flushing ??= this.#flush();
  }

  /** Writes the preface even if no fact follows it. */
  announce(): Promise<void> {
    return this.submit([]);
  }

  /** Resolves when nothing is waiting. */
  drained(): Promise<void> {
    return this.#flushing ?? Promise.resolve();
  }

  /** Whether nothing is waiting, nor on its way. */
  get isIdle(): boolean {
    return this.#flushing === undefined;
  }

  async #flush(): Promise<void> {
    await this.#options.ticker.turnEnd();
    while (this.#queue.length > 0 && this.#dead === undefined) {
      const batch = this.#take();
      try {
        const expected = this.#revision ?? "no-stream";
        const facts = this.#factsOf(batch, expected);
        if (facts.length > 0) {
          this.#revision = (await this.#append(expected, facts)).revision;
          this.#isPrefaced = true;
        }
      } catch (error) {
        this.#dead = FetchImageError.is(error) ? error : new FetchImageError("FI_INTERNAL", { cause: error });
        this.#options.onFailure(this.#dead);
        this.#queue.unshift(...batch);
        break;
      }
      for (const { writes } of batch) writes.written();
    }
    this.#flushing = undefined;
    if (this.#dead !== undefined) for (const { writes } of this.#queue.splice(0)) writes.refused(this.#dead);
  }

  /** What goes in the next append. Event stores take a megabyte or so at once. */
  #take(): Waiting[] {
    let facts = 0;
    let chars = 0;
    let count = 0;
    for (const waiting of this.#queue) {
      facts += waiting.facts.length;
      for (const fact of waiting.facts) chars += outputLength(fact);
      if (count > 0 && (facts > mostFacts || chars > mostChars)) break;
      count++;
    }
    if (count < this.#queue.length) return this.#queue.splice(0, count);
    const all = this.#queue;
    this.#queue = [];
    return all;
  }

  /** Its first append begins with the preface. */
  #factsOf(batch: readonly Waiting[], expected: ExpectedRevision): readonly NewFact[] {
    const submitted = batch.length === 1 ? (batch[0]?.facts ?? []) : batch.flatMap(({ facts }) => facts);
    return this.#isPrefaced ? submitted : this.#options.preface(expected).concat(submitted);
  }

  #append(expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    const { eventLog, stream, clock } = this.#options;
    const begunAt = clock.now();
    return eventLog
      .append(stream, expected, facts)
      .catch((error: unknown) => this.#appendAgain({ error, begunAt }, expected, facts));
  }

  async #appendAgain(
    first: { readonly error: unknown; readonly begunAt: number },
    expected: ExpectedRevision,
    facts: readonly NewFact[],
  ): Promise<Appended> {
    const { eventLog, stream, clock, logger, storePatienceMs, onConflict } = this.#options;
    try {
      return await workAgain(() => eventLog.append(stream, expected, facts), first, {
        clock,
        storePatienceMs,
        onRetry: (code, attempt) => logger.warn("append will be tried again", { stream, code, attempt }),
      });
    } catch (error) {
      if (FetchImageError.is(error) && error.code === "FI_WRONG_EXPECTED_REVISION") throw await onConflict(error);
      throw error;
    }
  }
}

/** In one append, of one call or several. */
const mostFacts = 256;
/** Of steps' output in one append, some three bytes each at most. */
const mostChars = 128 * 1024;

function outputLength({ type, data }: NewFact): number {
  if (type === "OutputWritten") return typeof data["text"] === "string" ? data["text"].length : 0;
  if (type !== "BuildEventSaved" || data["event"] !== "log") return 0;
  const { payload } = data["data"] as { readonly payload?: unknown };
  return typeof payload === "string" ? payload.length : 0;
}
