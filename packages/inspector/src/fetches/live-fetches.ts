import {
  buildStreamPrefix,
  type EventFilter,
  type EventLog,
  FetchImageError,
  type Logger,
  type Position,
} from "@fetch-image/core";
import { setTimeout as pause } from "node:timers/promises";
import type { BuildFolds, Taken } from "./build-folds.ts";
import type { FetchSummary } from "./fetch-summary.ts";

/** Somebody who looks on. */
export interface Viewer {
  /** A fetch has changed: what it is now. */
  changed(key: string, summary: FetchSummary): void;
  /** All that has been stored up to `position` was told to `changed`: called once after each burst. */
  settled(): void;
  /** Nothing more will come. */
  broken(): void;
}

export interface LiveFetchesOptions {
  readonly eventLog: EventLog;
  readonly folds: BuildFolds;
  /** Where to begin: as near to the log's head as is known without reading it. */
  readonly head: () => Promise<Position | undefined>;
  readonly logger: Logger;
}

export const buildStreams: EventFilter = { streamPrefixes: [buildStreamPrefix] };

/** Between two subscriptions, where a store went away. */
const retryMs = 1000;

/** Fetches as they change, of all builds: one subscription for all viewers, from the first one's coming to the last one's
 *  going. */
export class LiveFetches {
  readonly #options: LiveFetchesOptions;
  readonly #viewers = new Set<Viewer>();
  #following: AbortController | undefined;
  #position: Position | undefined;
  #settling = false;

  constructor(options: LiveFetchesOptions) {
    this.#options = options;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** Up to where viewers know everything, once they are settled. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Resolves once what is stored from now on will be told. Rejects as the read model does. */
  async join(viewer: Viewer): Promise<void> {
    this.#viewers.add(viewer);
    if (this.#following !== undefined) return;
    const following = new AbortController();
    this.#following = following;
    try {
      this.#position = await this.#options.head();
    } catch (error) {
      // It is told so itself; who came meanwhile comes again.
      this.#viewers.delete(viewer);
      this.close();
      throw error;
    }
    if (!following.signal.aborted) void this.#follow(following.signal);
  }

  leave(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size === 0) this.#stop();
  }

  close(): void {
    const viewers = [...this.#viewers];
    this.#viewers.clear();
    this.#stop();
    for (const viewer of viewers) viewer.broken();
  }

  #stop(): void {
    this.#following?.abort();
    this.#following = undefined;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { logger } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#subscribe(signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        const code = FetchImageError.is(error) ? error.code : "FI_INTERNAL";
        logger.warn("fetches will be followed again", { code });
        if (!FetchImageError.is(error) || !error.retryable) {
          this.close();
          return;
        }
        await pause(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #subscribe(signal: AbortSignal): Promise<void> {
    const { eventLog, folds } = this.#options;
    const after = this.#position;
    const messages = eventLog.subscribe({
      ...(after === undefined ? {} : { after }),
      filter: buildStreams,
      signal,
    });
    for await (const message of messages) {
      if (signal.aborted) return;
      if (message.kind === "fact") {
        const taken = folds.take(message.fact);
        this.#tell(taken instanceof Promise ? await taken : taken);
        if (signal.aborted) return;
        this.#position = message.fact.position;
      } else {
        this.#position = message.position ?? this.#position;
      }
      this.#settle();
    }
  }

  #tell({ fold, fetchId }: Taken): void {
    const summary = fetchId === undefined ? undefined : fold.get(fetchId);
    if (summary === undefined) return;
    const key = keyOf(summary);
    for (const viewer of this.#viewers) viewer.changed(key, summary);
  }

  /** What comes in one turn of the event loop goes out as one. */
  #settle(): void {
    if (this.#settling) return;
    this.#settling = true;
    setImmediate(() => {
      this.#settling = false;
      for (const viewer of this.#viewers) viewer.settled();
    });
  }
}

export function keyOf({ build, fetch }: Pick<FetchSummary, "build" | "fetch">): string {
  return JSON.stringify([build, fetch]);
}
