import type { Clock } from "@fetch-image/core";

/** A clock whose waiting takes no time: it is then as late as if it had been waited for. */
export interface InstantClock extends Clock {
  /** Milliseconds that were waited, each time. */
  readonly waits: readonly number[];
}

export function instantClock(start = "2026-11-22T08:00:00.000Z"): InstantClock {
  let now = Date.parse(start);
  const waits: number[] = [];
  return {
    waits,
    now: () => now,
    after(ms, callback) {
      waits.push(ms);
      const due = now + ms;
      const turn = setImmediate(() => {
        now = Math.max(now, due);
        callback();
      });
      return () => clearImmediate(turn);
    },
  };
}
