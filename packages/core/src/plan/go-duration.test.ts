import { expect, test } from "vitest";
import { goDuration } from "./go-duration.ts";

test.each([
  ["0", "0s"],
  ["1m", "1m0s"],
  ["24h", "24h0m0s"],
  ["90m", "1h30m0s"],
  ["1.5h", "1h30m0s"],
  ["1h30m15.25s", "1h30m15.25s"],
  [".5s", "500ms"],
  ["1500us", "1.5ms"],
  ["1\u00b5s", "1\u00b5s"],
  ["1\u03bcs", "1\u00b5s"],
  ["7ns", "7ns"],
  ["-90s", "-1m30s"],
  ["-0s", "0s"],
  ["2562047h47m16.854775807s", "2562047h47m16.854775807s"],
])("%s is written %s, as Go writes it", (text, written) => {
  expect(goDuration(text)).toBe(written);
});

test.each([
  "",
  "1",
  "m",
  "1d",
  "1h 30m",
  " 1h",
  "1h,",
  "never",
  ".s",
  "1e3s",
  "2562047h47m16.854775808s",
  "9".repeat(99),
])("%j is not a duration", (text) => {
  expect(goDuration(text)).toBeUndefined();
});
