import type { RateLimit } from "@fetch-image/core/registry-image";
import { type Headers, single } from "./headers.ts";

/** `ratelimit-limit: 100;w=21600` and `ratelimit-remaining: 76;w=21600`, as Docker Hub sends them; undefined without. */
export function rateLimitOf(headers: Headers): RateLimit | undefined {
  const limit = parseQuota(single(headers, "ratelimit-limit"));
  const remaining = parseQuota(single(headers, "ratelimit-remaining"));
  if (!limit && !remaining) return undefined;
  const windowSeconds = limit?.windowSeconds ?? remaining?.windowSeconds;
  return {
    ...(limit ? { limit: limit.count } : {}),
    ...(remaining ? { remaining: remaining.count } : {}),
    ...(windowSeconds === undefined ? {} : { windowSeconds }),
  };
}

/** Milliseconds that `Retry-After` asks to wait: seconds, or a date (RFC 9110 §10.2.3). Undefined without a valid one. */
export function retryAfterMs(headers: Headers, now: number): number | undefined {
  const text = single(headers, "retry-after")?.trim();
  if (!text) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const until = Date.parse(text);
  if (!/^[A-Za-z]/.test(text) || Number.isNaN(until)) return undefined;
  // The server's own clock, when it tells it: ours may be off, and the date was made by its.
  const serverNow = Date.parse(single(headers, "date") ?? "");
  return Math.max(0, until - (Number.isNaN(serverNow) ? now : serverNow));
}

function parseQuota(text: string | undefined): { count: number; windowSeconds?: number } | undefined {
  if (text === undefined) return undefined;
  const match = /^\s*(\d{1,12})\s*(?:;\s*w=(\d{1,12})\s*)?/.exec(text);
  if (!match) return undefined;
  return { count: Number(match[1]), ...(match[2] === undefined ? {} : { windowSeconds: Number(match[2]) }) };
}
