import { describe, expect, test } from "vitest";
import type { FetchImageError } from "../errors/fetch-image-error.ts";
import {
  formatVersionConstraint,
  parseVersionConstraint,
  satisfiesConstraint,
  type VersionConstraint,
} from "./constraint.ts";
import { parseSemanticVersion } from "./semver.ts";

const probes = "0.0.0-rc 0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0-beta 1.2.0 1.2.3 1.3.0 2.0.0-rc 2.0.0 11.1.0".split(" ");

// What the original lets through of the probes: asked of Masterminds/semver 3.5.0.
const allowed: readonly (readonly [
  rule: string,
  rows: readonly (readonly [constraint: string, versions: string])[],
])[] = [
  [
    "a bare version is that version, or all that begin like it",
    [
      ["1.2.3", "1.2.3"],
      ["=1.2.3", "1.2.3"],
      ["= 1.2.3", "1.2.3"],
      ["v1.2.3", "1.2.3"],
      ["01.2.03", "1.2.3"],
      ["1.2.3+build", "1.2.3"],
      ["1.2", "1.2.0 1.2.3"],
      ["=1.2", "1.2.0 1.2.3"],
      ["1", "1.0.0 1.2.0 1.2.3 1.3.0"],
      ["0.0", "0.0.0 0.0.3"],
      ["18446744073709551615", ""],
    ],
  ],
  [
    "a wildcard stands for any number, and for all that follows it",
    [
      ["1.2.x", "1.2.0 1.2.3"],
      ["1.2.X", "1.2.0 1.2.3"],
      ["1.2.*", "1.2.0 1.2.3"],
      ["1.x", "1.0.0 1.2.0 1.2.3 1.3.0"],
      ["1.x.x", "1.0.0 1.2.0 1.2.3 1.3.0"],
      ["1.x.3", "1.0.0 1.2.0 1.2.3 1.3.0"],
      ["x", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 11.1.0"],
      ["*", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 11.1.0"],
      ["x.2.3", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 11.1.0"],
      ["1.x.9|9", "1.0.0 1.2.0 1.2.3 1.3.0"],
    ],
  ],
  [
    "!= leaves out what the version, as far as it is given, stands for",
    [
      ["!=1.2.3", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.3.0 2.0.0 11.1.0"],
      ["!=1.2", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.3.0 2.0.0 11.1.0"],
      ["!=1", "0.0.0 0.0.3 0.2.3 0.3.0 2.0.0 11.1.0"],
      ["!=1.x", "0.0.0 0.0.3 0.2.3 0.3.0 2.0.0 11.1.0"],
      ["!=*", "0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 11.1.0"],
    ],
  ],
  [
    "> is past, and >= at or past, what the version stands for",
    [
      [">1.2.3", "1.3.0 2.0.0 11.1.0"],
      [">1.2", "1.3.0 2.0.0 11.1.0"],
      [">1", "2.0.0 11.1.0"],
      [">1.x", "2.0.0 11.1.0"],
      [">*", "0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 11.1.0"],
      [">11", ""],
      [">=1.2.3", "1.2.3 1.3.0 2.0.0 11.1.0"],
      [">=1.2", "1.2.0 1.2.3 1.3.0 2.0.0 11.1.0"],
      [">=1", "1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 11.1.0"],
      ["=>1.2", "1.2.0 1.2.3 1.3.0 2.0.0 11.1.0"],
      [">=*", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 11.1.0"],
    ],
  ],
  [
    "< is before the version, and <= up to what it stands for",
    [
      ["<1.2.3", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0"],
      ["<1.2", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0"],
      ["<1", "0.0.0 0.0.3 0.2.3 0.3.0"],
      ["<1.2.x", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0"],
      ["<*", ""],
      ["<=1.2.3", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.2.3"],
      ["<=1.2", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.2.3"],
      ["<=1", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.2.3 1.3.0"],
      ["=<1.2", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.2.3"],
      ["<=*", "0.0.0 0.0.3"],
    ],
  ],
  [
    "~ keeps major and minor, as far as they are given; ~0.0.0 keeps nothing",
    [
      ["~1.2.0", "1.2.0 1.2.3"],
      ["~1.2", "1.2.0 1.2.3"],
      ["~1.2.x", "1.2.0 1.2.3"],
      ["~1", "1.0.0 1.2.0 1.2.3 1.3.0"],
      ["~>1.2", "1.2.0 1.2.3"],
      ["~>1", "1.0.0 1.2.0 1.2.3 1.3.0"],
      ["~*", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 11.1.0"],
      ["~0.0.0", "0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 11.1.0"],
      ["~0.0", "0.0.0 0.0.3"],
      ["~0", "0.0.0 0.0.3 0.2.3 0.3.0"],
    ],
  ],
  [
    "^ keeps the first number that is not 0; ^* is 0.0.0 alone",
    [
      ["^1.2.0", "1.2.0 1.2.3 1.3.0"],
      ["^1.2", "1.2.0 1.2.3 1.3.0"],
      ["^1", "1.0.0 1.2.0 1.2.3 1.3.0"],
      ["^0.2.3", "0.2.3"],
      ["^0.2", "0.2.3"],
      ["^0.0.3", "0.0.3"],
      ["^0.0", "0.0.0 0.0.3"],
      ["^0", "0.0.0 0.0.3 0.2.3 0.3.0"],
      ["^0.0.0", "0.0.0"],
      ["^*", "0.0.0"],
    ],
  ],
  [
    "a comma and a blank both mean and",
    [
      [">=1.2, <2", "1.2.0 1.2.3 1.3.0"],
      [">=1.2 <2", "1.2.0 1.2.3 1.3.0"],
      [">=1.2,<2", "1.2.0 1.2.3 1.3.0"],
      [">=1.2 , <2", "1.2.0 1.2.3 1.3.0"],
      [">= 1.2\t<\n2", "1.2.0 1.2.3 1.3.0"],
      [">1 !=1.3.0 <2", ""],
      ["1.2 1.2.3", "1.2.3"],
      ["1.2.3, 1.3.0", ""],
    ],
  ],
  [
    "|| means or, and binds less",
    [
      ["1.2.3 || 2.0.0", "1.2.3 2.0.0"],
      ["1.2.3||2.0.0", "1.2.3 2.0.0"],
      [">=1.2, <2, !=1.2.3 || >2", "1.2.0 1.3.0 11.1.0"],
      ["0.x || 2.x || 1.2.3", "0.0.0 0.0.3 0.2.3 0.3.0 1.2.3 2.0.0"],
    ],
  ],
  [
    "a range is >= and <=",
    [
      ["1.2 - 2", "1.2.0 1.2.3 1.3.0 2.0.0"],
      ["1.2.0 - 1.3.0", "1.2.0 1.2.3 1.3.0"],
      ["1 - 1.2", "1.0.0 1.2.0 1.2.3"],
      ["0 - 0.2, !=0.0.3", "0.0.0 0.2.3"],
      ["1.2, 1.2.1 - 3", "1.2.3"],
      ["1.2.3 - 1.2.3 || 2.x", "1.2.3 2.0.0"],
      ["1.2-2", "1.2.0-beta 1.2.0 1.2.3"],
    ],
  ],
  [
    "one pre-release opens its alternative to all of them",
    [
      ["*-0", "0.0.0-rc 0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0-beta 1.2.0 1.2.3 1.3.0 2.0.0-rc 2.0.0 11.1.0"],
      [">=0-0", "0.0.0-rc 0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0-beta 1.2.0 1.2.3 1.3.0 2.0.0-rc 2.0.0 11.1.0"],
      [">=0.0.0-0", "0.0.0-rc 0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0-beta 1.2.0 1.2.3 1.3.0 2.0.0-rc 2.0.0 11.1.0"],
      [">=1.2.0-0", "1.2.0-beta 1.2.0 1.2.3 1.3.0 2.0.0-rc 2.0.0 11.1.0"],
      [">=1 <2-0", "1.0.0 1.2.0-beta 1.2.0 1.2.3 1.3.0"],
      [">=1.2.0-0 || 0.x", "0.0.0 0.0.3 0.2.3 0.3.0 1.2.0-beta 1.2.0 1.2.3 1.3.0 2.0.0-rc 2.0.0 11.1.0"],
      ["1.2.0-beta || 2.0.0", "1.2.0-beta 2.0.0"],
      ["!=1.2-beta", "0.0.0-rc 0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0 1.2.3 1.3.0 2.0.0-rc 2.0.0 11.1.0"],
      ["<=1.2-a", "0.0.0-rc 0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0-beta 1.2.0 1.2.3"],
      ["<0-z", "0.0.0-rc"],
      ["~0.0.0-rc", "0.0.0-rc 0.0.0 0.0.3 0.2.3 0.3.0 1.0.0 1.2.0-beta 1.2.0 1.2.3 1.3.0 2.0.0-rc 2.0.0 11.1.0"],
      ["~1.2.0-alpha", "1.2.0-beta 1.2.0 1.2.3"],
      ["^1.2.0-beta", "1.2.0-beta 1.2.0 1.2.3 1.3.0"],
      [">0.3.0-0 <1.2.1", "0.3.0 1.0.0 1.2.0-beta 1.2.0"],
    ],
  ],
  [
    "a bar next to a digit is part of a range, and its or then reaches over it",
    [
      ["1||2 - 2", "1.0.0 1.2.0 1.2.3 1.3.0 2.0.0 11.1.0"],
      ["1 || 2 - 2", "1.0.0 1.2.0 1.2.3 1.3.0 2.0.0"],
    ],
  ],
];

describe.each(allowed)("%s", (_, rows) => {
  test.each(rows)("%j", (text, versions) => {
    const constraint = read(text);
    expect(constraint.text).toBe(text);
    expect(probes.filter((probe) => allows(constraint, probe)).join(" ")).toBe(versions);
  });

  test.each(rows)("%j means the same when it is written anew", (text) => {
    const constraint = read(text);
    const anew = read(formatVersionConstraint(constraint));
    expect(probes.filter((probe) => allows(anew, probe))).toEqual(probes.filter((probe) => allows(constraint, probe)));
    expect(formatVersionConstraint(anew)).toBe(formatVersionConstraint(constraint));
  });
});

test.each([
  ["1.2 - 3", ">=1.2 <=3"],
  ["=> v1.2,=<2||~>3", ">=v1.2 <=2 || ~3"],
  ["1.x, != 1.2.3-rc+x", "=1.x !=1.2.3-rc+x"],
])("%j is written as %j", (text, written) => {
  expect(formatVersionConstraint(read(text))).toBe(written);
});

describe("what is no constraint is refused, with what is wrong and where", () => {
  const refused: readonly (readonly [text: string, says: string, position: number])[] = [
    ["", "an alternative is empty", 1],
    [" ", "an alternative is empty", 2],
    ["1 ||", "an alternative is empty", 5],
    ["|| 1", "an alternative is empty", 1],
    ["1.2.3.4", `a version is followed by "."`, 6],
    ["1.0.0-a..b", `a version is followed by "."`, 8],
    ["12.3.34~ 1.2.3", `a version is followed by "~"`, 8],
    ["1;2", `a version is followed by ";"`, 2],
    [">= bar", `a version is missing before "b"`, 4],
    ["BAR >= 1.2.3", `a version is missing before "B"`, 1],
    ["V1.2", `a version is missing before "V"`, 1],
    ["> = 1", `a version is missing before "="`, 3],
    [">1,,<2", `a version is missing before ","`, 4],
    ["1,", "a version is missing at its end", 3],
    [">", "a version is missing at its end", 2],
    ["1 ||~", "a version is missing at its end", 6],
    ["==1", `"==" is no operator`, 1],
    ["1 || <>1", `"<>" is no operator`, 6],
    ["<<<<<<1", `"<<<…" is no operator`, 1],
    ["1, 1.2.3-01", "its pre-release has a number with a leading zero", 4],
    ["1x", "it is not of the form", 1],
    ["1|2", "it is not of the form", 1],
    ["18446744073709551616", "it has a number over 18446744073709551615", 1],
    [`1.0.0-${"a".repeat(251)}`, "it has 257 characters, and no version has more than 256", 1],
    // Blanks before a range are swallowed with it, so that it follows without one.
    ["1.2 2 - 3", `with its ranges written out, a version is followed by ">"`, 5],
    [">1 - 2", `with its ranges written out, ">>=" is no operator`, 1],
    ["1 - 2 || 1.2.3.4", `with its ranges written out, a version is followed by "."`, 15],
    ["1 - 2 - 3, 2 - 3", "with its ranges written out", 1],
    // Go's blanks are these five alone: space, tab, line feed, form feed, carriage return.
    ["1\u000b2", "a version is followed by U+000B", 2],
    ["1\u00a0", "a version is followed by U+00A0", 2],
    ["1.2.3-é", `a version is followed by "-"`, 6],
    ["\u{1f4a5}", "U+1F4A5", 1],
    ["1".repeat(513), "it has 513 characters, and none has more than 512", 513],
    ["1".repeat(65_536), "it has 65536 characters, and none has more than 512", 513],
    [Array(33).fill("1").join("||"), "it has 33 alternatives, more than 32", 1],
  ];
  test.each(refused.map((row) => [row[0].slice(0, 60), ...row] as const))("%j", (_, text, says, position) => {
    const error = refuse(text);
    expect(error.code).toBe("FI_SOURCE_INVALID");
    expect(error.message).toContain("source.semver_constraint is not a version constraint: ");
    expect(error.message).toContain(says);
    expect(error.message).toContain(`(at character ${position})`);
    expect(error.details).toEqual({ field: "semver_constraint", position });
    expect(error.message.length).toBeLessThan(300);
  });
});

test("a constraint may have as many characters and alternatives as the original's", () => {
  expect(read(`1.2.3${" ".repeat(507)}`).alternatives).toHaveLength(1);
  expect(read(Array(32).fill("1").join("||")).alternatives).toHaveLength(32);
});

test.each([
  ["((constraint))", /no value/],
  ["1 2 - 3", /comma before it/],
  ["==1", /one of = != >/],
  ["1.2.3.4", /at most three numbers/],
  ["|| 1", /Write \*/],
  ["bar", />= 1\.2, < 3/],
])("the hint for %j says what to write", (text, hint) => {
  expect(refuse(text).hint).toMatch(hint);
});

function read(text: string): VersionConstraint {
  const parsed = parseVersionConstraint(text);
  if (!parsed.ok) throw parsed.error;
  return parsed.constraint;
}

function refuse(text: string): FetchImageError {
  const parsed = parseVersionConstraint(text);
  if (parsed.ok) throw new Error(`${text} was taken for ${formatVersionConstraint(parsed.constraint)}`);
  return parsed.error;
}

function allows(constraint: VersionConstraint, text: string): boolean {
  const parsed = parseSemanticVersion(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.problem}`);
  return satisfiesConstraint(parsed.version, constraint);
}
