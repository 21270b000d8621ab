import { expect, test } from "vitest";
import { csvLine } from "./csv.ts";

test("a line of CSV ends as RFC 4180 has it, and quotes what it must", () => {
  expect(csvLine(["a", undefined, 7, 'say "hi"', "b,c", "two\nlines", " spaced "])).toBe(
    'a,,7,"say ""hi""","b,c","two\nlines"," spaced "\r\n',
  );
});

test("what a spreadsheet would take for a formula is text", () => {
  for (const formula of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x";"y")']) {
    expect(csvLine([formula])).toMatch(/^"?'/);
  }
  expect(csvLine(["a=1", "1-2", "x@y", "sha256:ab"])).toBe("a=1,1-2,x@y,sha256:ab\r\n");
});
