import { expect, test } from "vitest";
import { entryNames, markOf } from "./entry-path.ts";

test("an entry's path is cleaned as Go's filepath.Clean does, below the root, and never above it", () => {
  const paths: { readonly [path: string]: readonly string[] | undefined } = {
    "a/b": ["a", "b"],
    "./a//b/": ["a", "b"],
    "/a/./b": ["a", "b"],
    "a/../b": ["b"],
    "a/b/../../c": ["c"],
    "": [],
    "./": [],
    "a/..": [],
    "...": ["..."],
    "..a/b..": ["..a", "b.."],
    "a\\..\\b": ["a\\..\\b"],
    "..": undefined,
    "../a": undefined,
    "/..": undefined,
    "a/../..": undefined,
    "a/../../a": undefined,
  };
  expect(Object.fromEntries(Object.keys(paths).map((path) => [path, entryNames(path)]))).toEqual(paths);
});

test("a last name that begins with .wh. is a mark and no file", () => {
  const marks = ["file", ".wh", ".wh.a", ".wh..wh..opq", ".wh..wh.plnk", ".wh..a", ".wh.", ".wh..", ".wh...", ".WH.a"];
  expect(marks.map((name) => markOf(name))).toEqual([
    { kind: "none" },
    { kind: "none" },
    { kind: "whiteout", of: "a" },
    { kind: "opaque" },
    { kind: "meta" },
    { kind: "whiteout", of: ".a" },
    { kind: "nonsense" },
    { kind: "nonsense" },
    { kind: "nonsense" },
    { kind: "none" },
  ]);
});
