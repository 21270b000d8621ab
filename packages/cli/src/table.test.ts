import { expect, test } from "vitest";
import { createStyle } from "./style.ts";
import { table } from "./table.ts";

test("columns are as wide as their widest cell, colours aside, and lines have no blanks at their end", () => {
  const { good } = createStyle(true);
  const rows = [
    ["A", "B", "C"],
    [good("long"), "", "x"],
    ["a", "bb", ""],
  ];
  expect(table(rows)).toBe(`A     B   C\n${good("long")}      x\na     bb\n`);
});
