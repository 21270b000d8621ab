import { type Clock, FetchImageError } from "@fetch-image/core/fetching";
import { Deferred } from "./deferred.ts";
import type { Closed } from "./engine.ts";
import type { FetchLeft, Flights } from "./flights.ts";

export interface Shutdown {
  /** Nothing new is taken. */
  readonly begun: boolean;
  /** Nothing goes on. */
  readonly done: boolean;
  close(deadlineMs: number): Promise<Closed>;
}

/** The end of an engine: fetches in flight may end until the earliest deadline that was given; then `letGo` stops the rest. */
export function createShutdown(options: {
  readonly flights: Flights;
  readonly clock: Clock;
  /** Stops everything without a fact, and says what was in flight. */
  readonly letGo: () => Promise<readonly FetchLeft[]>;
}): Shutdown {
  const { flights, clock, letGo } = options;
  const deadline = new Deferred<void>();
  let closing: Promise<Closed> | undefined;
  let done = false;

  async function shutDown(): Promise<Closed> {
    const before = flights.landed;
    flights.turnAway(new FetchImageError("FI_ENGINE_CLOSED", { message: "the engine takes no new fetch" }));
    await Promise.race([flights.idle(), deadline.promise]);
    const left = await letGo();
    done = true;
    return { finished: flights.landed - before, left };
  }

  return {
    get begun() {
      return closing !== undefined;
    },
    get done() {
      return done;
    },
    async close(deadlineMs) {
      const cancel = deadlineMs > 0 ? clock.after(deadlineMs, () => deadline.resolve()) : undefined;
      if (cancel === undefined) deadline.resolve();
      closing ??= shutDown();
      try {
        return await closing;
      } finally {
        cancel?.();
      }
    },
  };
}
