import type { CancelSignal, Position } from "@fetch-image/core/fetching";
import { untilAborted } from "../facts/abort.ts";
import { positionNumber } from "../facts/position.ts";
import type { Sql } from "./sql.ts";

export interface TailOptions {
  readonly sql: Sql;
  readonly channel: string;
  readonly pollMs: number;
  head(): Promise<Position | undefined>;
}

/**
 * Tells every subscription of one log that there may be something new. Right by polling for the log's last position,
 * one cheap question for all of them; NOTIFY, on one connection, only makes it fast.
 */
export class Tail {
  readonly #options: TailOptions;
  readonly #waiting = new Set<Waiter>();
  #mark = 0;
  #timer: NodeJS.Timeout | undefined;
  #polling = false;
  #listening: Promise<() => Promise<void>> | undefined;
  #closed = false;

  constructor(options: TailOptions) {
    this.#options = options;
  }

  /** Grows whenever something was heard. */
  get mark(): number {
    return this.#mark;
  }

  /** Resolves when something was heard since `mark`, when the log has grown past `next`, or when `signal` aborts. */
  async changed(mark: number, next: Position | undefined, signal: CancelSignal): Promise<void> {
    if (this.#closed || mark !== this.#mark) return;
    this.#listen();
    let wake = (): void => undefined;
    const woken = new Promise<void>((resolve) => (wake = resolve));
    const waiter = { next: positionNumber(next), wake };
    this.#waiting.add(waiter);
    this.#schedule();
    await untilAborted(woken, signal);
    this.#waiting.delete(waiter);
    if (this.#waiting.size === 0) this.#unschedule();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unschedule();
    this.#wake(() => true);
    const stop = await this.#listening?.catch(() => undefined);
    await stop?.().catch(() => undefined);
  }

  #listen(): void {
    const { sql, channel } = this.#options;
    if (this.#listening !== undefined) return;
    const heard = (): void => {
      this.#mark++;
      this.#wake(() => true);
    };
    this.#listening = sql.listen(channel, heard);
    // What came before there was anybody to hear it was missed. Where nobody ever can, polling does without, and the
    // next waiter tries again.
    this.#listening.then(heard, () => (this.#listening = undefined));
  }

  #schedule(): void {
    if (this.#polling || this.#closed) return;
    this.#timer ??= setTimeout(() => void this.#poll(), this.#options.pollMs);
  }

  #unschedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #poll(): Promise<void> {
    this.#timer = undefined;
    this.#polling = true;
    try {
      const head = positionNumber(await this.#options.head());
      this.#wake(({ next }) => head > next);
    } catch {
      // Whoever reads next meets the same failure and knows what to do about it.
      this.#wake(() => true);
    }
    this.#polling = false;
    if (this.#waiting.size > 0) this.#schedule();
  }

  #wake(which: (waiter: Waiter) => boolean): void {
    for (const waiter of this.#waiting) if (which(waiter)) waiter.wake();
  }
}

interface Waiter {
  readonly next: bigint;
  readonly wake: () => void;
}
