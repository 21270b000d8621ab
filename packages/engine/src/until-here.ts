import { formatTime, parseTime } from "@fetch-image/core/fetching";

/**
 * Until when another node holds what it said at `time` to hold until `until`, both by its clock: by ours, where that reads
 * `now` and less than its. Its clock may be ahead by an hour: it holds for its time from when that was read, and no longer.
 * Else who died would keep all others waiting for as long as its clock was ahead.
 */
export function untilHere(until: string, time: string, now: number): string {
  const ahead = parseTime(time) - now;
  return ahead <= 0 ? until : formatTime(parseTime(until) - ahead);
}
