import { describe, expect, test } from "vitest";
import { cursorFirst } from "./cursor-first.ts";

describe("the cursor's tag comes first, and the others as Go's sort.Slice leaves them", () => {
  // Asked of Go 1.26: length, where the cursor's tag is, the order; what is not written out stays where it is.
  test.each([
    [1, 0, "0"],
    [12, 11, "11 0 1 2 3 4 5 6 7 8 9 10"],
    [13, 5, "5 6 2 3 4 1 0"],
    [13, 6, "6 3 2 0 4 5 1"],
    [13, 9, "9 3 2 0 4 5 6 7 8 1"],
    [14, 12, "12 6 2 3 4 5 0 7 8 9 10 11 1"],
    [15, 1, "1 6 2 3 4 5 0"],
    [15, 7, "7 6 8 3 4 5 0 1 2"],
    [16, 1, "1 8 11 3 4 5 6 2 9 7 10 0"],
    [16, 8, "8 4 11 3 0 5 6 2 9 7 10 1"],
    [20, 19, "19 10 11 3 0 5 6 7 8 2 9 4 12 13 14 15 16 17 18 1"],
    [49, 0, "0 1 2 3"],
    [50, 1, "1 0 2 3"],
    [50, 49, `49 ${numbers(49).join(" ")}`],
    [
      50,
      24,
      "24 23 42 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 0 1 2 27 25 28 29 30 31 32 33 34 35 36 37 38 39 40 41 26",
    ],
    [
      50,
      25,
      "25 23 42 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 0 24 2 27 1 28 29 30 31 32 33 34 35 36 37 38 39 40 41 26",
    ],
  ])("of %i tags, the one at %i", (length, at, order) => {
    const written = order.split(" ");
    expect(cursorFirst(numbers(length), String(at))).toEqual([...written, ...numbers(length).slice(written.length)]);
  });

  test("for every place in every list of up to 120", () => {
    let fingerprint = 0x811c9dc5;
    for (let length = 1; length <= 120; length += 1) {
      for (let at = 0; at < length; at += 1) {
        const text = cursorFirst(numbers(length), String(at))
          .map((tag) => `${tag},`)
          .join("");
        for (let index = 0; index < text.length; index += 1) {
          fingerprint = Math.imul(fingerprint ^ text.charCodeAt(index), 0x01000193);
        }
      }
    }
    // FNV-1a over what Go 1.26 makes of them.
    expect(fingerprint >>> 0).toBe(38_941_781);
  });
});

test("without a cursor, or where its tag is not listed, the order is the registry's", () => {
  const tags = numbers(30);
  expect(cursorFirst(tags, undefined)).toEqual(tags);
  expect(cursorFirst(tags, "latest")).toEqual(tags);
  expect(cursorFirst([], "latest")).toEqual([]);
});

test("the list that is given stays as it is", () => {
  const tags = numbers(30);
  cursorFirst(tags, "20");
  expect(tags).toEqual(numbers(30));
});

function numbers(length: number): string[] {
  return Array.from({ length }, (_, index) => String(index));
}
