import { describe, expect, test } from "vitest";
import { askedDigest, askedLimit, askedTag, askedTime, justAfter, pageMark, readPageMark } from "./questions.ts";

const invalid = expect.objectContaining({ code: "FI_QUERY_INVALID" });

describe("a time", () => {
  test("is a day of UTC, or has a zone", () => {
    expect(
      ["2026-11-22", "2026-11-22T04:40Z", "2026-11-22 04:40:01.5+02:00", "2026-11-22T04:40:00.123456Z"].map(askedTime),
    ).toEqual([
      "2026-11-22T00:00:00.000Z",
      "2026-11-22T04:40:00.000Z",
      "2026-11-22T02:40:01.500Z",
      "2026-11-22T04:40:00.123Z",
    ]);
    expect(justAfter("2026-12-31T23:59:59.999Z")).toBe("2027-01-01T00:00:00.000Z");
  });

  test("that is none is refused, not guessed", () => {
    for (const text of [
      "",
      "yesterday",
      "2026-11-22T04:40",
      "2026-02-30",
      "2026-13-01",
      "2026-11-22T25:00Z",
      "1732250400",
    ]) {
      expect(() => askedTime(text)).toThrow(invalid);
    }
  });
});

test("a digest is refused where it is none, and so is one where a tag is asked for", () => {
  const digest = `sha256:${"a".repeat(64)}`;
  expect(askedDigest(digest)).toBe(digest);
  for (const text of ["", "latest", "sha256:ab", digest.toUpperCase()])
    expect(() => askedDigest(text)).toThrow(invalid);
  expect(askedTag("busybox")).toEqual({ repository: "docker.io/library/busybox" });
  expect(() => askedTag(`busybox@${digest}`)).toThrow(invalid);
  expect(() => askedTag("Busy box")).toThrow(expect.objectContaining({ code: "FI_REFERENCE_INVALID" }));
});

test("a page begins where the one before said, and nowhere else", () => {
  expect(readPageMark(pageMark(["a", "é/1"]), 2)).toEqual(["a", "é/1"]);
  for (const mark of ["", "x", pageMark(["a"]), Buffer.from("[1,2]").toString("base64url"), "%%%"]) {
    expect(() => readPageMark(mark, 2)).toThrow(invalid);
  }
  for (const limit of [0, -1, 1.5, 1001, Number.NaN]) expect(() => askedLimit(limit)).toThrow(invalid);
  expect(askedLimit(undefined)).toBe(100);
});
