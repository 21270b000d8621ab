import { setImmediate } from "node:timers/promises";
import type { Cancellation } from "./cancellation.ts";

/**
 * Small files are written by calls that block, which is several times faster than asking a thread for each; so that the
 * process stays awake for everything else, somebody has to make way now and then.
 */
export interface Pace {
  /** Whether it is time for a {@link turn}; cheap enough for every entry. */
  due(): boolean;
  /** Lets everything else of this process run. Throws `FI_ABORTED`. */
  turn(): Promise<void>;
}

export function createPace(cancellation: Cancellation): Pace {
  let next = performance.now() + turnMs;
  return {
    due: () => performance.now() >= next,
    async turn() {
      cancellation.throwIfAborted();
      await setImmediate();
      next = performance.now() + turnMs;
    },
  };
}

const turnMs = 8;
