import {
  type Clock,
  type EventLog,
  FetchImageError,
  formatTime,
  type Hash,
  type NewFact,
  shadowFactToStore,
  shadowStream,
} from "@fetch-image/core/fetching";
import { Deferred } from "../deferred.ts";
import type { Comparison } from "./shadow-api.ts";

export interface ComparisonWriterOptions {
  readonly eventLog: EventLog;
  readonly clock: Clock;
  readonly hash: Hash;
  readonly node: string;
  /** How long an append is tried again while the store is away. */
  readonly patienceMs: number;
}

interface Waiting {
  readonly comparison: Comparison;
  readonly stored: Deferred<void>;
}

/** Appends comparisons to the day's stream, which has many writers: what waits while an append is under way makes the next. */
export class ComparisonWriter {
  readonly #options: ComparisonWriterOptions;
  #waiting: Waiting[] = [];
  #working: Promise<void> | undefined;
  #written = 0;
  #stream = "";
  #revision: bigint | undefined;

  constructor(options: ComparisonWriterOptions) {
    this.#options = options;
  }

  write(comparison: Comparison): Promise<void> {
    const stored = new Deferred<void>();
    this.#waiting.push({ comparison, stored });
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
    return stored.promise;
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#working;
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, mostAtOnce);
      try {
        await this.#append(batch.map(({ comparison }) => comparison));
        for (const { stored } of batch) stored.resolve();
      } catch (error) {
        for (const { stored } of batch) stored.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  async #append(comparisons: readonly Comparison[]): Promise<void> {
    const { clock, hash, node, eventLog, patienceMs } = this.#options;
    const at = clock.now();
    const stream = shadowStream(formatTime(at).slice(0, 10));
    if (stream !== this.#stream) [this.#stream, this.#revision] = [stream, undefined];
    const facts: readonly NewFact[] = comparisons.map((data) => {
      const context = { stream, key: `${node}\n${this.#written++}`, buildId: data.build.id, node, at };
      return shadowFactToStore({ type: "ImageCompared", data }, context, hash);
    });
    for (let attempt = 1; ; attempt++) {
      try {
        const { revision } = await eventLog.append(stream, this.#revision ?? "no-stream", facts);
        this.#revision = revision;
        return;
      } catch (error) {
        const code = FetchImageError.is(error) ? error.code : "";
        if (code === "FI_WRONG_EXPECTED_REVISION") {
          await this.#readOn(error);
          continue;
        }
        // The same bytes at the same place again: what was stored after all is answered as the first time.
        const passing = code === "FI_APPEND_OUTCOME_UNKNOWN" || code === "FI_STORE_UNAVAILABLE";
        if (!passing || clock.now() - at >= patienceMs) throw error;
        await new Promise<void>((resolve) => {
          clock.after(Math.min(100 * 2 ** attempt, 5000), resolve);
        });
      }
    }
  }

  async #readOn(conflict: unknown): Promise<void> {
    const [last] = await this.#options.eventLog.read(this.#stream, { direction: "backwards", limit: 1 });
    // A conflict that leaves nothing to read on would be met for ever.
    if (last?.revision === this.#revision) throw conflict;
    this.#revision = last?.revision;
  }
}

const mostAtOnce = 100;
