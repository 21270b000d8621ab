/** How long nobody asks after failures in a row: `baseMs`, doubled with each, `capMs` at the most. */
export interface BackOff {
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * The pause after the `failures`-th failure in a row, in milliseconds: between three quarters and all of the exponential.
 * `key` and the count decide where in between, so that every node comes to the same time, replay too, and what failed
 * together does not come back together.
 */
export function backOffMs({ baseMs, capMs }: BackOff, failures: number, key: string): number {
  // No cap is 2^40 times its base, and beyond that a product is no number any more.
  const exponential = Math.min(baseMs * 2 ** Math.min(failures - 1, 40), capMs);
  return Math.round(exponential * (1 - share(`${key}\n${failures}`) / 4));
}

/**
 * Whether it is now within `ms` of `at`; gives when that ends. A stamp that lies further ahead than clocks differ is of a
 * clock that is wrong, and holds nobody up: whoever asks then stamps anew.
 */
export function heldUntil(at: number, ms: number, now: number): number | undefined {
  const until = at + ms;
  return now < until && !isOfWrongClock(at, now) ? until : undefined;
}

/** Whether a stamp lies further ahead than clocks differ: then it says nothing of how long ago it was. */
export function isOfWrongClock(at: number, now: number): boolean {
  return at > now + clocksDifferMs;
}

const clocksDifferMs = 5000;

/** From 0 to 1. FNV-1a: any spread will do, and the same on every node. */
function share(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash / 0xffff_ffff;
}
