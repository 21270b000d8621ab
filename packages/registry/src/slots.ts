import type { CancelSignal } from "@fetch-image/core/registry-image";
import { reasonOf, unlessAborted } from "./transport/deadline.ts";

/** So many at a time. */
export interface Slots {
  /** Waits for a free one, first come first served; the function gives it back. Rejects as soon as the signal aborts. */
  take(signal: CancelSignal): Promise<() => void>;
}

export function createSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  const giveBack = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
  return {
    async take(signal) {
      if (signal.aborted) throw reasonOf(signal);
      if (free > 0) {
        free--;
        return giveBack;
      }
      const turn = new Promise<void>((resolve) => waiting.push(resolve));
      try {
        await unlessAborted(turn, signal);
      } catch (error) {
        // Its turn may come all the same: then it is the next one's.
        void turn.then(giveBack);
        throw error;
      }
      return giveBack;
    },
  };
}
