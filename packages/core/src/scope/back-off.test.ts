import { describe, expect, test } from "vitest";
import { backOffMs, heldUntil } from "./back-off.ts";

const backOff = { baseMs: 1000, capMs: 60_000 };

describe("a back-off", () => {
  test("doubles up to its cap, less a quarter at the most", () => {
    for (const [failures, full] of [
      [1, 1000],
      [2, 2000],
      [6, 32_000],
      [7, 60_000],
      [5000, 60_000],
    ] as const) {
      const ms = backOffMs(backOff, failures, "0a1b");
      expect(ms).toBeGreaterThanOrEqual(full * 0.75);
      expect(ms).toBeLessThanOrEqual(full);
    }
  });

  test("is the same wherever it is worked out, and spreads what failed together", () => {
    const keys = Array.from({ length: 100 }, (_, at) => `scope-${at}`);
    const all = keys.map((key) => backOffMs(backOff, 7, key));
    expect(keys.map((key) => backOffMs(backOff, 7, key))).toEqual(all);
    expect(new Set(all).size).toBeGreaterThan(80);
    expect(Math.max(...all) - Math.min(...all)).toBeGreaterThan(10_000);
  });
});

test("a stamp of a clock that is far ahead holds nobody up", () => {
  expect(heldUntil(1000, 500, 1499)).toBe(1500);
  expect(heldUntil(1000, 500, 1500)).toBeUndefined();
  expect(heldUntil(5000, 500, 1000)).toBe(5500);
  expect(heldUntil(3_600_000, 500, 1000)).toBeUndefined();
});
