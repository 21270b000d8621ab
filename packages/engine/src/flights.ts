import { type Asker, type CancelSignal, type Clock, FetchImageError } from "@fetch-image/core/fetching";
import { expectMany } from "./many-listeners.ts";
import type { Slot } from "./slot.ts";

/** A fetch in flight, as the engine counts it. */
export interface Flight {
  readonly asker: Asker;
  /** The machine's state; undefined before the fetch is requested. */
  readonly stateName: string | undefined;
  /** Milliseconds since the epoch. */
  readonly begunAt: number;
}

/** A fetch that was still in flight when its engine closed. Whoever opens its build next resumes it. */
export interface FetchLeft extends Asker {
  readonly state?: string;
}

export interface FlightLimits {
  readonly maxFetches: number;
  readonly maxWaitingFetches: number;
}

interface Waiting {
  readonly owner: unknown;
  readonly go: () => void;
  readonly refuse: (error: FetchImageError) => void;
}

/**
 * The fetches in flight of one engine, and those that wait for a place among them: first come, first served, and refused
 * where as many wait as may. What would be stuck, or was taken already, never waits: an image for the step of a fetch that
 * has its place, and a fetch that a stream holds.
 */
export class Flights {
  readonly #limits: FlightLimits;
  readonly #clock: Clock;
  /** In the order in which they began. */
  readonly #runs = new Set<Slot<Flight>>();
  readonly #waiting = new Set<Waiting>();
  readonly #onIdle = new Set<() => void>();
  #places = 0;
  #landed = 0;
  #refused = 0;

  constructor(limits: FlightLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get inFlight(): number {
    return this.#runs.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Fetches that have ended here, by themselves. */
  get landed(): number {
    return this.#landed;
  }

  /** Fetches turned away since the engine was made. */
  get refused(): number {
    return this.#refused;
  }

  /** Whether the next fetch would be refused. */
  get full(): boolean {
    return this.#places >= this.#limits.maxFetches && this.#waiting.size >= this.#limits.maxWaitingFetches;
  }

  /** Of the fetch that is longest in flight; milliseconds. */
  get oldestAgeMs(): number | undefined {
    for (const { held } of this.#runs) if (held !== undefined) return Math.max(0, this.#clock.now() - held.begunAt);
    return undefined;
  }

  /**
   * Takes a place: at once, or when the promise resolves. Throws `FI_ENGINE_BUSY` where too many wait; the promise rejects
   * with `FI_ABORTED` when `signal` aborts, and with what `turnAway` says.
   */
  enter(owner: unknown, signal: CancelSignal | undefined): Promise<void> | undefined {
    if (this.#places < this.#limits.maxFetches) {
      this.#places++;
      return undefined;
    }
    if (this.#waiting.size >= this.#limits.maxWaitingFetches) {
      this.#refused++;
      throw this.#busy();
    }
    return this.#wait(owner, signal);
  }

  /** Takes a place beyond the limit. */
  squeezeIn(): void {
    this.#places++;
  }

  /** Gives a place back. */
  leave(): void {
    this.#places--;
    if (this.#places >= this.#limits.maxFetches) return;
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      this.#places++;
      next.go();
      return;
    }
  }

  /** The fetch that a place was taken for; `ended` takes what it is counted by. */
  began(run: Flight): Slot<Flight> {
    const slot = { held: run };
    this.#runs.add(slot);
    return slot;
  }

  /** Gives its place back too. `byItself`: it ended, and was not stopped. */
  ended(slot: Slot<Flight>, byItself: boolean): void {
    if (!this.#runs.delete(slot)) return;
    slot.held = undefined;
    if (byItself) this.#landed++;
    this.leave();
    if (this.#runs.size > 0) return;
    for (const resolve of this.#onIdle) resolve();
    this.#onIdle.clear();
  }

  /** Lets nobody wait any longer; of one owner where one is named. */
  turnAway(error: FetchImageError, owner?: unknown): void {
    for (const waiting of this.#waiting) {
      if (owner !== undefined && waiting.owner !== owner) continue;
      this.#waiting.delete(waiting);
      waiting.refuse(error);
    }
  }

  /** Resolves when nothing is in flight. */
  idle(): Promise<void> {
    if (this.#runs.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.add(resolve));
  }

  /** What is in flight, the oldest first. */
  list(): readonly FetchLeft[] {
    return [...this.#runs].flatMap(({ held }) => (held === undefined ? [] : [leftOf(held)]));
  }

  #wait(owner: unknown, signal: CancelSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = () => signal?.removeEventListener("abort", onAbort);
      const waiting: Waiting = {
        owner,
        go: () => {
          done();
          resolve();
        },
        refuse: (error) => {
          done();
          reject(error);
        },
      };
      const onAbort = () => {
        this.#waiting.delete(waiting);
        waiting.refuse(new FetchImageError("FI_ABORTED", { message: "the fetch was aborted before it began" }));
      };
      this.#waiting.add(waiting);
      expectMany(signal);
      signal?.addEventListener("abort", onAbort);
    });
  }

  #busy(): FetchImageError {
    const { maxFetches, maxWaitingFetches } = this.#limits;
    return new FetchImageError("FI_ENGINE_BUSY", {
      message: `${this.#runs.size} fetches are in flight (maxFetches is ${maxFetches}) and ${this.#waiting.size} wait (maxWaitingFetches is ${maxWaitingFetches}): this engine takes no more now`,
      details: { inFlight: this.#runs.size, waiting: this.#waiting.size, maxFetches, maxWaitingFetches },
    });
  }
}

function leftOf({ asker, stateName }: Flight): FetchLeft {
  return { ...asker, ...(stateName === undefined ? {} : { state: stateName }) };
}
