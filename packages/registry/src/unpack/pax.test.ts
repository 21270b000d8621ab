import { describe, expect, test } from "vitest";
import { createComplaints } from "./complaints.ts";
import { globalRecords, parsePaxRecords, parsePaxTime, readPaxRecords } from "./pax.ts";

const complaints = createComplaints("the archive");
const parse = (text: string): ReturnType<typeof parsePaxRecords> =>
  parsePaxRecords(Buffer.from(text, "latin1"), complaints);

describe("a pax header", () => {
  test("is records whose length counts itself, and may end in NULs", () => {
    expect(parse("10 path=a\n12 comment=\n\0\0")).toEqual([
      ["path", "a"],
      ["comment", ""],
    ]);
  });

  test("may have an equals sign, a new line and, in an attribute, a NUL in a value", () => {
    expect(parse("14 path=a=b\nc\n25 SCHILY.xattr.user.a=\0\n")).toEqual([
      ["path", "a=b\nc"],
      ["SCHILY.xattr.user.a", "\0"],
    ]);
  });

  const malformed = [
    "path=a\n",
    "8 path=a\n",
    "11 path=a\n",
    "0 path=a\n",
    "-1 a=b\n",
    "5 a=b\n",
    "6 =ab\n",
    "6 a=b\n6 c=d\nrest",
    "123456789 a=b\n",
  ];
  for (const text of malformed) {
    test(`is refused where it is malformed: ${JSON.stringify(text)}`, () => {
      expect(() => parse(text)).toThrow("a record of a pax header is malformed");
    });
  }

  test("takes an earlier record back by an empty one", () => {
    const { path, mtime, xattrs } = readPaxRecords(
      [
        ["path", "a"],
        ["mtime", "1"],
        ["SCHILY.xattr.user.a", "1"],
        ["path", "b"],
        ["mtime", ""],
        ["SCHILY.xattr.user.a", ""],
      ],
      complaints,
    );
    expect({ path, mtime, xattrs: [...xattrs] }).toEqual({ path: "b", mtime: undefined, xattrs: [] });
  });

  test("for all entries tells owners, times and attributes, and never a name or a size", () => {
    const records = [
      ["comment", "git's"],
      ["mtime", "1"],
      ["SCHILY.xattr.user.a", "1"],
    ] as const;
    expect(globalRecords(records, complaints)).toEqual(records.slice(1));
    for (const keyword of ["path", "linkpath", "size", "GNU.sparse.map"]) {
      expect(() => globalRecords([[keyword, "1"]], complaints)).toThrow(`a global pax header sets \`${keyword}\``);
    }
  });
});

test("a pax time has six decimals that count, and what is cut off makes it earlier", () => {
  const times: { readonly [text: string]: number | undefined } = {
    "0": 0,
    "12.": 12,
    "1700000000.123456789": 1_700_000_000.123456,
    "1795335179.901765999": 1_795_335_179.901765,
    "-1.5": -1.5,
    "-1.0000005": -1.000001,
    "-1.0000000": -1,
    "1e5": undefined,
    "": undefined,
    "1.2.3": undefined,
    "999999999999": undefined,
  };
  expect(Object.fromEntries(Object.keys(times).map((text) => [text, parsePaxTime(text)]))).toEqual(times);
});
