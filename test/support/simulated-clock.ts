import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "@fetch-image/core";

export interface SimulatedClock extends Clock {
  /** Lets `ms` pass: due timers fire in order, and what they set off runs before the next one fires. */
  advance(ms: number): Promise<void>;
  /** Lets everything run that needs no time. */
  settle(): Promise<void>;
}

interface Timer {
  readonly dueAt: number;
  readonly callback: () => void;
}

/** Time that stands still until a test moves it. */
export function simulatedClock(start = "2026-11-22T00:00:00.000Z"): SimulatedClock {
  let now = Date.parse(start);
  const timers = new Set<Timer>();

  const settle = async () => {
    // Appends take a few turns of the event loop each; none of them takes time.
    for (let i = 0; i < 25; i++) await turn();
  };
  return {
    now: () => now,
    after(ms, callback) {
      const timer = { dueAt: now + ms, callback };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    settle,
    async advance(ms) {
      const until = now + ms;
      await settle();
      for (;;) {
        const next = [...timers].filter(({ dueAt }) => dueAt <= until).sort((a, b) => a.dueAt - b.dueAt)[0];
        if (next === undefined) break;
        timers.delete(next);
        now = Math.max(now, next.dueAt);
        next.callback();
        await settle();
      }
      now = until;
      await settle();
    },
  };
}
