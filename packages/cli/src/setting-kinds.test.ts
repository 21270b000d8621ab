import { expect, test } from "vitest";
import {
  baseTypes,
  boolean,
  databaseUrl,
  duration,
  endpoints,
  fileOrDefault,
  listOf,
  oneOf,
  origins,
  share,
  size,
  wholeNumber,
} from "./setting-kinds.ts";

test.each([
  ["500ms", 500, "500ms"],
  ["1m", 60_000, "1m"],
  ["90s", 90_000, "1m30s"],
  ["1h30m", 5_400_000, "1h30m"],
  ["0", 0, "0s"],
  ["1.5s", 1500, "1s500ms"],
])("the duration %s is %d ms, shown as %s", (text, ms, shown) => {
  expect(duration.parse(text)).toBe(ms);
  expect(duration.show(ms)).toBe(shown);
  expect(duration.parse(shown)).toBe(ms);
});

test.each(["", "1", "-1s", "1 m", "1d", "soon", "1m ", "s"])("%j is no duration", (text) => {
  expect(duration.parse(text)).toBeUndefined();
});

test("sizes are bytes, or have a unit, and are shown with the largest that fits", () => {
  expect(["8192", "64KiB", "4MiB", "1GiB"].map((text) => size.parse(text))).toEqual([8192, 65_536, 4_194_304, 2 ** 30]);
  expect([8192, 4_194_304, 1000].map((bytes) => size.show(bytes))).toEqual(["8KiB", "4MiB", "1000"]);
  for (const text of ["0", "2GiB", "1MB", "-1", "1.5MiB", ""]) expect(size.parse(text)).toBeUndefined();
});

test("whole numbers stay within their bounds", () => {
  const kind = wholeNumber(1, 100);
  expect(["1", "100"].map((text) => kind.parse(text))).toEqual([1, 100]);
  for (const text of ["0", "101", "1.5", "1e1", " 1", ""]) expect(kind.parse(text)).toBeUndefined();
});

test("shares are parts of a whole", () => {
  expect(["0", "0.1", ".25", "1", "1.0"].map((text) => share.parse(text))).toEqual([0, 0.1, 0.25, 1, 1]);
  expect(share.show(0.1)).toBe("0.1");
  for (const text of ["1.1", "10", "-0.1", "10%", "1e-1", ".", ""]) expect(share.parse(text)).toBeUndefined();
});

test("words are told as they would be in a sentence", () => {
  expect(oneOf("a", "b", "c").wants).toBe("a, b or c");
  expect(oneOf("a").wants).toBe("a");
});

test("a list of words has each once, in the words' own order", () => {
  const clouds = listOf("aws", "azure");
  expect(["", "azure", "azure, aws,azure"].map((text) => clouds.parse(text))).toEqual([
    [],
    ["azure"],
    ["aws", "azure"],
  ]);
  expect(clouds.parse("aws,gcp")).toBeUndefined();
  expect([clouds.wants, clouds.show(["aws", "azure"])]).toEqual(["one or more of aws, azure", "aws,azure"]);
});

test("a boolean is true or false, and no other word for it", () => {
  expect(["true", "false", "yes", "1", "TRUE", ""].map((text) => boolean.parse(text))).toEqual([
    true,
    false,
    ...Array.from({ length: 4 }, () => undefined),
  ]);
  expect([true, false].map((value) => boolean.show(value))).toEqual(["true", "false"]);
});

test("a file or the usual one is a path, true or false", () => {
  expect(["true", "false", "a/config.json"].map((text) => fileOrDefault.parse(text))).toEqual([
    true,
    false,
    "a/config.json",
  ]);
  expect([true, "a"].map((value) => fileOrDefault.show(value))).toEqual(["true", "a"]);
  for (const text of ["", "a\0b"]) expect(fileOrDefault.parse(text)).toBeUndefined();
});

test("origins have no path and no credentials; without a scheme they mean https", () => {
  expect(origins.parse("https://a:8443, b.example")).toEqual(["https://a:8443", "b.example"]);
  expect(origins.parse("")).toEqual([]);
  for (const text of ["https://a/path", "https://u:p@a", "ftp://a", "https://a?q", "a b"]) {
    expect(origins.parse(text)).toBeUndefined();
  }
});

test("pairs name both sides", () => {
  expect(endpoints.parse("docker.io=https://mirror.internal")).toEqual(["docker.io=https://mirror.internal"]);
  for (const text of ["docker.io", "=https://m", "docker.io=", "a=b=c"]) expect(endpoints.parse(text)).toBeUndefined();
  expect(baseTypes.parse("git=acme/git:1@sha256:".padEnd(86, "0"))).toHaveLength(1);
  for (const text of ["git", "=acme/git", "git=UPPER"]) expect(baseTypes.parse(text)).toBeUndefined();
});

test("only PostgreSQL's own URLs are database URLs", () => {
  expect(databaseUrl.parse("postgresql://db/ci")).toBe("postgresql://db/ci");
  for (const text of ["db/ci", "mysql://db", "postgres://[", ""]) expect(databaseUrl.parse(text)).toBeUndefined();
});
