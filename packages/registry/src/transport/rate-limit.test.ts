import { describe, expect, test } from "vitest";
import { rateLimitOf, retryAfterMs } from "./rate-limit.ts";

describe("rateLimitOf", () => {
  test("reads what Docker Hub sends", () => {
    expect(rateLimitOf({ "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600" })).toEqual({
      limit: 100,
      remaining: 76,
      windowSeconds: 21_600,
    });
  });

  test("takes what is there", () => {
    expect(rateLimitOf({ "ratelimit-remaining": "0" })).toEqual({ remaining: 0 });
    expect(rateLimitOf({ "ratelimit-limit": ["5000 ; w=60", "1;w=1"] })).toEqual({ limit: 5000, windowSeconds: 60 });
  });

  test("says nothing of nonsense", () => {
    expect(rateLimitOf({})).toBeUndefined();
    expect(rateLimitOf({ "ratelimit-limit": "many", "ratelimit-remaining": "-1" })).toBeUndefined();
  });
});

describe("retryAfterMs", () => {
  const noon = Date.parse("2026-11-22T12:00:00Z");

  test("counts seconds", () => {
    expect(retryAfterMs({ "retry-after": "120" }, noon)).toBe(120_000);
    expect(retryAfterMs({ "retry-after": "0" }, noon)).toBe(0);
  });

  test("measures a date by the server's own clock where it tells it, else by ours", () => {
    const until = { "retry-after": "Sun, 22 Nov 2026 12:01:00 GMT" };
    expect(retryAfterMs(until, noon)).toBe(60_000);
    expect(retryAfterMs({ ...until, date: "Sun, 22 Nov 2026 12:00:50 GMT" }, noon)).toBe(10_000);
    expect(retryAfterMs(until, noon + 3_600_000)).toBe(0);
  });

  test.each(["", "soon", "-5", "1.5", "12345678901", "2026-11-22T12:00:00Z"])("has no meaning for %j", (text) => {
    expect(retryAfterMs({ "retry-after": text }, noon)).toBeUndefined();
  });
});
