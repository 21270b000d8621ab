import { formatTime } from "../facts/time.ts";
import { duration } from "../scope/duration.ts";

/** A delay: `300ms`, `1.2s`, `41s`, `3m12s`. Below a minute to the tenth of a second, cut, never rounded up. */
export function span(ms: number): string {
  if (ms < 1000 || ms >= 60_000) return duration(ms);
  const tenths = Math.floor(ms / 100);
  return tenths % 10 === 0 ? `${tenths / 10}s` : `${Math.floor(tenths / 10)}.${tenths % 10}s`;
}

/** `04:40:00.312`, UTC; with the date before it where that is another than `day`'s (milliseconds since the epoch). */
export function timeOfDay(at: number, day: number): string {
  const iso = formatTime(at);
  const time = iso.slice(11, 23);
  return iso.slice(0, 10) === formatTime(day).slice(0, 10) ? time : `${iso.slice(0, 10)} ${time}`;
}

/** `2026-11-22 04:40:00.312 UTC` */
export function dateAndTime(at: number): string {
  const iso = formatTime(at);
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)} UTC`;
}
