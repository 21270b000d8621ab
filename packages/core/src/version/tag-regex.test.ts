import { describe, expect, test } from "vitest";
import type { FetchImageError } from "../errors/fetch-image-error.ts";
import { compileTagRegex, type TagRegex } from "./tag-regex.ts";

describe("a pattern matches as Go's regexp does", () => {
  test.each([
    ["gr(a|e)y", "the-grey-one", true],
    ["gr(a|e)y", "groy", false],
    ["^[0-9a-f]{7}-dev$", "3bd8a5e-dev", true],
    ["^[0-9a-f]{7}-dev$", "3bd8a5e-dev2", false],
    ["", "anything", true],
    ["(?i)^RELEASE", "release-1", true],
    ["^(?P<major>\\d+)\\.(?P<minor>\\d+)$", "1.2", true],
    ["^(?<major>\\d+)$", "12", true],
    ["(?s)^v.*$", "v1", true],
    ["^\\pL+$", "main", true],
    ["[[:upper:]]", "main", false],
    ["\\Qa.b\\E", "a.b", true],
    ["\\Qa.b\\E", "axb", false],
    ["^1\\z", "1", true],
    ["a{,2}", "a", false],
    ["a{,2}", "a{,2}", true],
    ["^\\d{2}$", "1\u0662", false],
  ])("%j on %j: %j", (pattern, tag, matches) => {
    const regex = compile(pattern);
    expect(regex.text).toBe(pattern);
    expect(regex.matches(tag)).toBe(matches);
  });
});

describe("what RE2 does not know is refused, by the name of the field", () => {
  test.each([
    ["(", "missing closing )"],
    ["a)", "unexpected )"],
    ["[a", "missing closing ]"],
    ["*", "missing argument to repetition operator"],
    ["a**", "invalid nested repetition operator"],
    ["a{1001}", "invalid repeat count"],
    ["(a{100}){11}", "invalid repeat count"],
    ["a(?=b)", "invalid or unsupported Perl syntax"],
    ["(a)\\1", "invalid escape sequence"],
    ["\\Z", "invalid escape sequence"],
    ["(?P<n>a)(?P<n>b)", "duplicate capture group name"],
    ["[z-a]", "invalid character class range"],
    ["(".repeat(4096), "missing closing )"],
  ])("%.20j", (pattern, says) => {
    const error = refuse(pattern);
    expect(error.code).toBe("FI_SOURCE_INVALID");
    expect(error.message).toContain(`source.tag_regex is not a regular expression: ${says}`);
    expect(error.message.length).toBeLessThan(300);
    expect(error.hint).toContain("RE2");
    expect(error.details).toEqual({ field: "tag_regex" });
  });
});

describe("what would take too long over a list of tags is left to the resource", () => {
  test.each([
    ["a".repeat(4097), "it has 4097 characters, more than 4096"],
    ["(".repeat(65_536), "it has 65536 characters, more than 4096"],
    ["(\\pL{1000}|\\pN{1000})x{100}", "instructions, more than 2000"],
  ])("%.20j", (pattern, says) => {
    const error = refuse(pattern);
    expect(error.code).toBe("FI_SOURCE_UNSUPPORTED");
    expect(error.message).toContain("source.tag_regex is too large");
    expect(error.message).toContain(says);
    expect(error.details).toEqual({ field: "tag_regex" });
  });
});

test("the largest patterns are answered", () => {
  expect(compile("a{1000}b{900}").matches(`${"a".repeat(1000)}${"b".repeat(900)}`)).toBe(true);
  expect(compile(`(?:${"(?:)".repeat(1000)})`).matches("")).toBe(true);
});

test("a pattern that keeps others busy for ever costs no more than its length", () => {
  const evil = compile("^(([a-z0-9]+)+\\.?)+$");
  expect(evil.matches(`${"a".repeat(127)}!`)).toBe(false);
  expect(evil.matches(`${"a".repeat(65_535)}!`)).toBe(false);
});

function compile(pattern: string): TagRegex {
  const compiled = compileTagRegex(pattern);
  if (!compiled.ok) throw compiled.error;
  return compiled.regex;
}

function refuse(pattern: string): FetchImageError {
  const compiled = compileTagRegex(pattern);
  if (compiled.ok) throw new Error(`${pattern} was compiled`);
  return compiled.error;
}
