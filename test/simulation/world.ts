import { createHash } from "node:crypto";
import { type Random, randomOf } from "../fuzz/random.ts";

/**
 * Simulated time, and the one source of chance. Everything that happens outside the engines is an event in here; events
 * come one at a time, in the order of their times, and whatever one of them sets off in the engines runs to its end
 * before the next one comes. So a seed decides all of it.
 */
export interface World {
  readonly random: Chance;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `callback` `ms` from now; the returned function cancels it. */
  after(ms: number, callback: () => void): () => void;
  /** Resolves `ms` from now. */
  delay(ms: number): Promise<void>;
  /** Says that code of an engine runs: the world waits until it has come to its end. */
  touch(): void;
  /** Puts a line into the trace. */
  tell(who: string, what: string): void;
  /** Counts a fault, and puts it into the trace. */
  fault(who: string, what: string): void;
  /** A promise that does not hold. The first one ends the simulation. */
  broken(what: string): void;
  /** Lets time pass until `done`, or for `ms`; gives whether it is done. */
  run(ms: number, done: () => boolean): Promise<boolean>;
  readonly faults: number;
  readonly events: number;
  /** What did not hold. */
  readonly problems: readonly string[];
  /** Empty where the trace is only hashed. */
  readonly trace: readonly string[];
  /** Of the trace so far. */
  hash(): string;
}

export interface Chance extends Random {
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  /** True `perThousand` times in a thousand. */
  rarely(perThousand: number): boolean;
}

export interface WorldOptions {
  readonly seed: number;
  readonly keepTrace?: boolean;
}

const startOfSimulation = Date.parse("2026-11-22T00:00:00.000Z");

/** What no simulation comes near, unless something goes round in circles. */
const mostEvents = 150_000;

export function createWorld({ seed, keepTrace = false }: WorldOptions): World {
  const random = chanceOf(seed);
  const queue = new EventQueue();
  const digest = createHash("sha256");
  const trace: string[] = [];
  const problems: string[] = [];
  let now = startOfSimulation;
  let faults = 0;
  let events = 0;
  let touches = 0;

  const world: World = {
    random,
    now: () => now,
    after(ms, callback) {
      touches++;
      return queue.add(now + Math.max(0, ms), callback);
    },
    delay: (ms) =>
      new Promise((resolve) => {
        world.after(ms, resolve);
      }),
    touch() {
      touches++;
    },
    tell(who, what) {
      const line = `${String(now - startOfSimulation).padStart(7)} ${who} ${what}`;
      digest.update(line).update("\n");
      if (keepTrace) trace.push(line);
    },
    fault(who, what) {
      faults++;
      world.tell(who, `! ${what}`);
    },
    broken(what) {
      world.tell("broken:", what);
      problems.push(what);
    },
    async run(ms, done) {
      const until = now + ms;
      await settle(() => touches, problems);
      while (problems.length === 0 && !done()) {
        const next = queue.take(until);
        if (next === undefined) {
          now = until;
          break;
        }
        if (++events > mostEvents) {
          world.broken(`it does not come to rest: ${mostEvents} events, and no end`);
          break;
        }
        now = next.at;
        next.callback();
        await settle(() => touches, problems);
      }
      return done();
    },
    get faults() {
      return faults;
    },
    get events() {
      return events;
    },
    problems,
    trace,
    hash: () => digest.copy().digest("hex"),
  };
  return world;
}

/**
 * Resolves when the engines have nothing left to run. They touch the world with all that they do, but for the turn of
 * the event loop by which appends are gathered: so three turns without a touch are the end, as is a promise that does not hold.
 */
async function settle(touches: () => number, problems: readonly string[]): Promise<void> {
  let seen = touches();
  for (let quiet = 0; quiet < 3 && problems.length === 0; quiet++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    if (touches() === seen) continue;
    seen = touches();
    quiet = -1;
  }
}

function chanceOf(seed: number): Chance {
  const random = randomOf(seed);
  return {
    ...random,
    between: (low, high) => low + random.below(high - low + 1),
    rarely: (perThousand) => random.below(1000) < perThousand,
  };
}

interface QueuedEvent {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** A binary heap: the earliest first, of the same time the one that was added first. */
class EventQueue {
  readonly #heap: QueuedEvent[] = [];
  #added = 0;

  add(at: number, callback: () => void): () => void {
    const event: QueuedEvent = { at, order: this.#added++, callback, cancelled: false };
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const above = (index - 1) >> 1;
      if (!this.#isBefore(index, above)) break;
      this.#swap(index, above);
      index = above;
    }
    return () => {
      event.cancelled = true;
    };
  }

  /** The next event, if it comes no later than `until`. */
  take(until: number): QueuedEvent | undefined {
    for (;;) {
      const [first] = this.#heap;
      if (first === undefined || (first.at > until && !first.cancelled)) return undefined;
      this.#removeFirst();
      if (!first.cancelled) return first;
    }
  }

  #removeFirst(): void {
    const heap = this.#heap;
    this.#swap(0, heap.length - 1);
    heap.pop();
    for (let index = 0; ;) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      let first = index;
      if (left < heap.length && this.#isBefore(left, first)) first = left;
      if (right < heap.length && this.#isBefore(right, first)) first = right;
      if (first === index) return;
      this.#swap(index, first);
      index = first;
    }
  }

  #isBefore(index: number, other: number): boolean {
    const [a, b] = [this.#heap[index], this.#heap[other]];
    if (a === undefined || b === undefined) return false;
    return a.at === b.at ? a.order < b.order : a.at < b.at;
  }

  #swap(index: number, other: number): void {
    const [a, b] = [this.#heap[index], this.#heap[other]];
    if (a === undefined || b === undefined) return;
    this.#heap[index] = b;
    this.#heap[other] = a;
  }
}
