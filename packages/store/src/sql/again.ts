import { setTimeout as sleep } from "node:timers/promises";
import { isWorthRepeating } from "./errors.ts";

const attempts = 5;

/**
 * Does a statement of its own transaction again where the server gave it up for the sake of another one: serialization
 * failure, deadlock, or, on a standby, a conflict with recovery. It was rolled back, so nothing is done twice.
 */
export async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === attempts || !isWorthRepeating(error)) throw error;
    }
    // Whoever else was given up comes again, too: not at the same time.
    await sleep(2 ** attempt * (1 + Math.random()));
  }
}
