import { describe, expect, test } from "vitest";
import {
  compareSemanticVersions,
  formatSemanticVersion,
  parseSemanticVersion,
  type SemanticVersion,
} from "./semver.ts";

describe("a version is read, and written in full", () => {
  // What the original makes of each: asked of Masterminds/semver 3.5.0.
  test.each([
    ["1", "1.0.0"],
    ["1.2", "1.2.0"],
    ["1.2.3", "1.2.3"],
    ["v1", "1.0.0"],
    ["v1.2.3", "1.2.3"],
    ["0", "0.0.0"],
    ["00.0.00", "0.0.0"],
    ["01.2", "1.2.0"],
    ["2024.01.02", "2024.1.2"],
    ["20240102030405678", "20240102030405678.0.0"],
    ["18446744073709551615.0.18446744073709551615", "18446744073709551615.0.18446744073709551615"],
    [`${"0".repeat(250)}1.2`, "1.2.0"],
    ["1-rc", "1.0.0-rc"],
    ["1.2-beta.1", "1.2.0-beta.1"],
    ["1.2.3-0", "1.2.3-0"],
    ["1.2.3--", "1.2.3--"],
    ["1.2.3-alpha-1.-.0a", "1.2.3-alpha-1.-.0a"],
    ["1.2.3-0abc.00x", "1.2.3-0abc.00x"],
    ["1.2.3-99999999999999999999", "1.2.3-99999999999999999999"],
    ["v2.3.5-20161202202307-sha.e8fc5e5", "2.3.5-20161202202307-sha.e8fc5e5"],
    ["1.2.3+build.01", "1.2.3+build.01"],
    ["1+x", "1.0.0+x"],
    ["1.2.3-rc.1+x-y.z", "1.2.3-rc.1+x-y.z"],
  ])("%s", (text, full) => {
    const version = read(text);
    expect(version.text).toBe(text);
    expect(formatSemanticVersion(version)).toBe(full);
    expect(compareSemanticVersions(version, read(full))).toBe(0);
  });
});

describe("what is no version says why", () => {
  test.each([
    ["", "it is empty"],
    ["latest", "it is not of the form"],
    ["V1.2", "it is not of the form"],
    ["vv1", "it is not of the form"],
    ["v", "it is not of the form"],
    ["1.2.3.4", "it is not of the form"],
    ["1.", "it is not of the form"],
    [".1", "it is not of the form"],
    ["1..2", "it is not of the form"],
    ["1.x", "it is not of the form"],
    ["-1", "it is not of the form"],
    [" 1", "it is not of the form"],
    ["1\n", "it is not of the form"],
    ["1.2.3-", "it is not of the form"],
    ["1.2.3-a..b", "it is not of the form"],
    ["1.2.3-a_b", "it is not of the form"],
    ["1.2.3-é", "it is not of the form"],
    ["1.2.3+", "it is not of the form"],
    ["1.2.3+a+b", "it is not of the form"],
    ["1.0.0-01", "its pre-release has a number with a leading zero"],
    ["1.0.0-rc.00", "its pre-release has a number with a leading zero"],
    ["18446744073709551616", "it has a number over 18446744073709551615"],
    ["1.99999999999999999999", "it has a number over 18446744073709551615"],
    ["1.2.18446744073709551616", "it has a number over 18446744073709551615"],
    [`1.0.0-${"a".repeat(251)}`, "it has 257 characters, and no version has more than 256"],
    ["1".repeat(65_536), "it has 65536 characters, and no version has more than 256"],
  ])("%j", (text, problem) => {
    const parsed = parseSemanticVersion(text);
    expect(parsed.ok ? undefined : parsed.problem).toContain(problem);
  });

  test("256 characters are not too many", () => {
    expect(parseSemanticVersion(`1.0.0-${"a".repeat(250)}`).ok).toBe(true);
  });
});

test("its parts are numbers, and the rest as it was written", () => {
  expect(read("v1.02-rc.1+x")).toEqual({
    text: "v1.02-rc.1+x",
    major: 1n,
    minor: 2n,
    patch: 0n,
    preRelease: "rc.1",
    metadata: "x",
  });
});

test("each comes before the next", () => {
  // semver.org's own example, the numbers that sort otherwise as words, and those that are words because of their size.
  const ascending = [
    "0.0.0-0",
    "0.0.0",
    "0.0.9",
    "0.0.10",
    "0.9",
    "0.10",
    "1.0.0--",
    "1.0.0-A",
    "1.0.0-alpha",
    "1.0.0-alpha.0",
    "1.0.0-alpha.1",
    "1.0.0-alpha.1.0",
    "1.0.0-alpha.2",
    "1.0.0-alpha.10",
    "1.0.0-alpha.18446744073709551615",
    "1.0.0-alpha.-1",
    "1.0.0-alpha.100000000000000000000",
    "1.0.0-alpha.18446744073709551616",
    "1.0.0-alpha.9x",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "2.0.0-1",
    "2",
    "10",
    "18446744073709551615",
  ].map(read);
  for (const [at, version] of ascending.entries()) {
    for (const [otherAt, other] of ascending.entries()) {
      expect(compareSemanticVersions(version, other), `${version.text}, ${other.text}`).toBe(Math.sign(at - otherAt));
    }
  }
});

test.each([
  ["1", "1.0.0"],
  ["v1.2", "1.2.0"],
  ["01.2", "1.02.0"],
  ["1.0.0+a", "1.0.0+b"],
  ["1-rc", "1.0.0-rc+x"],
])("neither of %s and %s comes first", (a, b) => {
  expect(compareSemanticVersions(read(a), read(b))).toBe(0);
});

function read(text: string): SemanticVersion {
  const parsed = parseSemanticVersion(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.problem}`);
  return parsed.version;
}
