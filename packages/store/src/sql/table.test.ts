import { expect, test } from "vitest";
import { table } from "./table.ts";

interface Row {
  readonly rowId: string;
  readonly imageURL?: string;
  readonly evidence?: { readonly [key: string]: unknown };
  readonly checkOrder?: bigint;
  readonly openedAt?: string;
}

const rows = table<Row>("rows", {
  rowId: "text",
  imageURL: "text",
  evidence: "json",
  checkOrder: "bigint",
  openedAt: "time",
});

test("columns are the fields in snake case", () => {
  const selected = rows.select('"schema"');
  for (const column of ["t.row_id", "t.image_url", "t.evidence", "t.check_order", "as opened_at"]) {
    expect(selected).toContain(column);
  }
});

test("a row goes out without the fields it lacks, JSON as its text, and text that a column can hold", () => {
  const row: Row = { rowId: "a\0\ud800", evidence: { z: "\0", a: 1 }, checkOrder: 2n ** 60n };
  expect(JSON.parse(rows.toJson([row]))).toEqual([
    { row_id: "a\uFFFD\uFFFD", evidence: '{"z":"\\u0000","a":1}', check_order: "1152921504606846976" },
  ]);
});

test("a row comes back without the fields that are null", () => {
  expect(
    rows.fromRow({ row_id: "1", image_url: null, evidence: { a: 1 }, check_order: "7", opened_at: null }),
  ).toStrictEqual({ rowId: "1", evidence: { a: 1 }, checkOrder: 7n });
});
