import { setTimeout as sleep } from "node:timers/promises";
import { type Failure, failureOf } from "./failures.ts";

type PassingFailure = Extract<Failure, { kind: "passing" }>;

export interface Insistence {
  /** How long in all, in milliseconds. */
  readonly timeoutMs: number;
  /** The error where time is up: `sent` where any attempt may have reached the server. */
  gaveUp(failure: PassingFailure, sent: boolean, cause: unknown): Error;
  /** The error where trying again is no use; undefined where the failure is handled in `attempt`. */
  refused(failure: Exclude<Failure, PassingFailure>, cause: unknown): Error;
}

const firstPauseMs = 20;
const longestPauseMs = 500;

/** Tries until it works, is refused, or time is up. Every attempt learns how much time is left. */
export async function insist<T>(how: Insistence, attempt: (leftMs: number) => Promise<T>): Promise<T> {
  const until = Date.now() + how.timeoutMs;
  let sent = false;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      return await attempt(Math.max(1, until - Date.now()));
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind !== "passing") throw how.refused(failure, error);
      sent ||= failure.sent;
      if (Date.now() + pauseMs >= until) throw how.gaveUp(failure, sent, error);
    }
    await sleep(pauseMs);
  }
}
