import { buildStream, type EventLog, FetchImageError, type Logger, type RecordedFact } from "@fetch-image/core";
import { setTimeout as pause } from "node:timers/promises";
import { type LogChunk, type LogCursor, renderChunks } from "./log-chunks.ts";

/** What is kept of a build's newest chunks; who is farther behind reads the store. */
const mostKept = 1024 * 1024;
/** Between two subscriptions, where a store went away. */
const retryMs = 1000;

/**
 * The end of a build's log while it grows: one subscription, rendered once, for all who follow the build. Ends with the
 * build's last status, or when it is closed.
 */
export class LogFeed {
  readonly #eventLog: EventLog;
  readonly #stream: string;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  readonly #waiting = new Set<() => void>();
  readonly #chunks = new Map<bigint, LogChunk>();
  #kept = 0;
  #head: LogCursor;
  #facts: RecordedFact[] = [];
  #failure: unknown;

  constructor(
    { eventLog, logger }: { readonly eventLog: EventLog; readonly logger: Logger },
    buildId: string,
    head: LogCursor,
  ) {
    this.#eventLog = eventLog;
    this.#logger = logger;
    this.#stream = buildStream(buildId);
    this.#head = head;
    void this.#run();
  }

  /** Up to where the log is rendered here. */
  get head(): LogCursor {
    return this.#head;
  }

  /** The chunk that begins with this revision, where it is kept. Throws what ended the feed, if anything did. */
  chunkFrom(revision: bigint): LogChunk | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#chunks.get(revision);
  }

  /** Nothing more will come. */
  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Resolves when there is more, or the feed has ended, or `signal` aborts. */
  async changed(signal: AbortSignal): Promise<void> {
    if (this.closed || signal.aborted) return;
    let wake = (): void => undefined;
    const woken = new Promise<void>((resolve) => (wake = resolve));
    this.#waiting.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    await woken;
    signal.removeEventListener("abort", wake);
    this.#waiting.delete(wake);
  }

  close(): void {
    this.#closing.abort();
    this.#wake();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await this.#subscribe();
      } catch (error) {
        if (FetchImageError.is(error) && error.retryable) {
          this.#logger.warn("a build's log will be followed again", { stream: this.#stream, code: error.code });
          await pause(retryMs, undefined, { signal }).catch(() => undefined);
        } else {
          this.#failure = error;
          this.close();
        }
      }
    }
  }

  async #subscribe(): Promise<void> {
    const { position } = this.#head;
    const subscription = this.#eventLog.subscribe({
      filter: { stream: this.#stream },
      ...(position === undefined ? {} : { after: position }),
      signal: this.#closing.signal,
    });
    this.#facts = [];
    for await (const message of subscription) {
      if (message.kind !== "fact" || message.fact.revision < this.#head.revision) continue;
      // What comes in one turn goes out as one.
      if (this.#facts.push(message.fact) === 1) setImmediate(() => this.#take());
    }
  }

  #take(): void {
    const facts = this.#facts;
    this.#facts = [];
    if (this.#closing.signal.aborted) return;
    try {
      for (const chunk of renderChunks(this.#head, facts)) this.#keep(chunk);
    } catch (error) {
      this.#failure = error;
      this.close();
      return;
    }
    if (this.#head.log.ended !== null) this.close();
    else this.#wake();
  }

  #keep(chunk: LogChunk): void {
    this.#chunks.set(chunk.from.revision, chunk);
    this.#kept += chunk.text.length;
    this.#head = chunk.to;
    for (const [revision, oldest] of this.#chunks) {
      if (this.#kept <= mostKept || oldest === chunk) break;
      this.#chunks.delete(revision);
      this.#kept -= oldest.text.length;
    }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
