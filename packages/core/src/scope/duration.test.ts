import { expect, test } from "vitest";
import { duration } from "./duration.ts";

test.each([
  [0, "0ms"],
  [850, "850ms"],
  [999, "999ms"],
  [1000, "1s"],
  [59_999, "59s"],
  [60_000, "1m"],
  [192_000, "3m12s"],
  [3_600_000, "1h"],
  [3_659_000, "1h"],
  [7_500_000, "2h5m"],
  [180_000_000, "50h"],
])("%d ms read as %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});
