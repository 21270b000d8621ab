import { describe, expect, test } from "vitest";
import { formatTime, parseTime } from "./time.ts";

describe("milliseconds since the epoch, and what facts hold", () => {
  test.each([
    [0, "1970-01-01T00:00:00.000Z"],
    [-1, "1969-12-31T23:59:59.999Z"],
    [1, "1970-01-01T00:00:00.001Z"],
    [951_782_400_000, "2000-02-29T00:00:00.000Z"],
    [951_868_800_000, "2000-03-01T00:00:00.000Z"],
    [4_107_542_400_000, "2100-03-01T00:00:00.000Z"],
    [4_107_456_000_000, "2100-02-28T00:00:00.000Z"],
    [1_795_322_400_000, "2026-11-22T04:40:00.000Z"],
    [1_795_391_999_999, "2026-11-22T23:59:59.999Z"],
    [-62_167_219_200_000, "0000-01-01T00:00:00.000Z"],
    [253_402_300_799_999, "9999-12-31T23:59:59.999Z"],
  ])("%d is %s, both ways", (ms, iso) => {
    expect(formatTime(ms)).toBe(iso);
    expect(parseTime(iso)).toBe(ms);
  });

  test("a part of a millisecond is cut, so that time as stored never runs ahead", () => {
    expect(formatTime(1_795_322_400_000.9)).toBe("2026-11-22T04:40:00.000Z");
    expect(formatTime(-0.1)).toBe("1969-12-31T23:59:59.999Z");
  });

  test("what is no time is no number", () => {
    expect(parseTime("yesterday, at about ten")).toBeNaN();
    expect(parseTime("2026-11-22T04:4/:00.000Z")).toBeNaN();
  });
});
