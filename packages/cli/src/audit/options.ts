import { FetchImageError, parseGoDuration, showText } from "@fetch-image/core/basics";
import type { GivenOptions, Option } from "../command.ts";

/** A stretch of time; both ends may be left out. */
export const rangeOptions: readonly Option[] = [
  { name: "since", value: "TIME", does: "from TIME on: 2026-11-22T04:40:00Z, a day (UTC), or 24h for so long ago" },
  { name: "until", value: "TIME", does: "before TIME" },
];

export function rangeOf(options: GivenOptions): { readonly since?: string; readonly until?: string } {
  const [since, until] = [options.text("since"), options.text("until")];
  return {
    ...(since === undefined ? {} : { since: moment(since) }),
    ...(until === undefined ? {} : { until: moment(until) }),
  };
}

/** A duration is so long ago; every other text is left to whoever reads times, where it may be one. */
export function moment(text: string, now: number = Date.now()): string {
  const ago = parseGoDuration(text);
  if (ago === undefined) {
    if (/^\d/.test(text)) return text;
    const hint = "Write a time with its zone, 2026-11-22T04:40:00Z, a day of UTC, or 24h for so long ago.";
    throw new FetchImageError("FI_QUERY_INVALID", { message: `${showText(text)} is no time`, hint });
  }
  const time = new Date(now - Number(ago / 1_000_000n));
  if (ago >= 0n && !Number.isNaN(time.valueOf()) && time.getUTCFullYear() > 0) return time.toISOString();
  throw new FetchImageError("FI_USAGE", { message: `${showText(text)} ago is no time`, hint: "Write 24h, 90m, …" });
}

export const limitOption: Option = { name: "limit", value: "N", does: "at most N of them; default: all" };

/** Infinity where all are wanted. */
export function limitOf(options: GivenOptions): number {
  const text = options.text("limit");
  if (text === undefined) return Infinity;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new FetchImageError("FI_USAGE", {
    message: `--limit ${showText(text)} is no number of rows`,
    hint: "Write --limit 20.",
  });
}
