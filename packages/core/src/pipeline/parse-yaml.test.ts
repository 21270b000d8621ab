import { expect, test } from "vitest";
import type { Json } from "../json.ts";
import { parseYaml } from "./parse-yaml.ts";
import { toJson } from "./yaml-tree.ts";

test.each<[string, Json]>([
  ["a: 1\nb: [x, 'yes', \"z\\n\",\n  ]", { a: 1, b: ["x", "yes", "z\n"] }],
  ["a: |\n  one\n  two\nb: >-\n  three\n  four\n", { a: "one\ntwo\n", b: "three four" }],
  ["'1': '1'\n2: yes\ntrue: x\n? k\n: v", { 1: "1", 2: true, true: "x", k: "v" }],
  ["a: &x {b: 1}\nc: *x\nd: [*x]", { a: { b: 1 }, c: { b: 1 }, d: [{ b: 1 }] }],
  ["a: &x 1\nb: *x\nc: &x 2\nd: *x", { a: 1, b: 1, c: 2, d: 2 }],
  [
    "x: &x {a: 1, b: 1}\nw: {b: 2, <<: *x}\nz: {<<: *x, b: 3}",
    { x: { a: 1, b: 1 }, w: { b: 2, a: 1 }, z: { b: 3, a: 1 } },
  ],
  ["- &a {k: a}\n- &b {k: b, l: b}\n- <<: [*a, *b]", [{ k: "a" }, { k: "b", l: "b" }, { k: "a", l: "b" }]],
  [
    "a: !!str 1\nb: !!int '2'\nc: !!null ''\nd: !!bool yes\ne: !!float 1\nf: ! 3",
    { a: "1", b: 2, c: null, d: true, e: 1, f: "3" },
  ],
  ["# nothing but a comment\n", null],
  ["---\na: 1\n...\n", { a: 1 }],
  ["\uFEFFa: 1", { a: 1 }],
  ["'<<': 1", { "<<": 1 }],
  [
    "__proto__: {a: 1}\nconstructor: x",
    Object.fromEntries<Json>([
      ["__proto__", { a: 1 }],
      ["constructor", "x"],
    ]),
  ],
  ["1.10: x", { "1.10": "x" }],
])("%j is read as Concourse reads it", (text, value) => {
  expect(read(text)).toEqual(value);
});

test("a key that stands twice is warned about; the last one counts", () => {
  const parsed = parseYaml("a: 1\nb: 2\na: 3");
  expect(parsed).toMatchObject({ warnings: [{ at: 10, says: expect.stringContaining('the key "a"') }] });
  expect(read("a: 1\nb: 2\na: 3")).toEqual({ a: 3, b: 2 });
});

test.each<[string, number, string]>([
  ["a: [1, 2", 8, "missing"],
  ["a: b: c", 3, "where only a plain value can stand"],
  ["a:\n\t- b", 3, "tab"],
  ["a: 'x", 5, "missing"],
  ["a: @x", 3, "must be quoted"],
  ['a: "\\q"', 4, "escape"],
  ["a: *nobody", 3, 'the alias "nobody"'],
  ["a: &a [*a]", 7, 'the alias "a"'],
  ["a: 1\n---\nb: 2", 5, "second document"],
  ["? [a]\n: b", 2, "a key must be text"],
  ["a: {<<: 1}", 8, "`<<` merges"],
  ["a: !!binary aGk=", 12, 'the tag "!!binary" is not known'],
  ["a: !!int x", 9, "is not what its tag"],
  ["a: .inf", 3, "infinities"],
  ["a: &a &b c", 6, "two anchors"],
  ["%YAML 1.2\n%FOO\n---\n- ]", 21, "not YAML"],
  [",", 0, "must be quoted"],
])("%j is refused at offset %i: %s", (text, at, says) => {
  const parsed = parseYaml(text);
  expect(parsed).toMatchObject({
    problems: expect.arrayContaining([expect.objectContaining({ at: expect.any(Number) })]),
  });
  const [first] = "problems" in parsed ? parsed.problems : [];
  expect([first?.at, first?.says]).toEqual([at, expect.stringContaining(says)]);
});

test("what is wrong is told without quoting the text, which may be a secret", () => {
  const texts = [
    "password: hunter2: x",
    'password: "hunter2" x',
    "password: 'hunter2",
    "hunter2\n  - x: [",
    "a: {hunter2",
    "hunter2 hunter2: [}",
  ];
  for (const text of texts) {
    const parsed = parseYaml(text);
    expect("problems" in parsed && parsed.problems.length).toBeGreaterThan(0);
    expect(JSON.stringify(parsed)).not.toContain("hunter2");
  }
});

const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
for (const [index, name] of "bcdefghijk".split("").entries()) {
  bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${"abcdefghij"[index]}`).join(", ")}]`);
}
const deep = Array.from(
  { length: 200 },
  (_, index) => `a${index}: &a${index} [${index === 0 ? "" : `*a${index - 1}`}]`,
);
const merges = `x: &x {${Array.from({ length: 5000 }, (_, index) => `k${index}: v`).join(", ")}}\ny:\n${Array.from({ length: 500 }, () => "- {<<: *x}\n").join("")}`;
const mebibyte = 1024 * 1024;

test.each<[string, string]>([
  ["an alias bomb", bomb.join("\n")],
  ["anchors nested in anchors", deep.join("\n")],
  ["a merge-key bomb", merges],
  ["a map that merges one anchor over and over", `${merges.split("\n")[0]}\nw: {<<: [${"*x, ".repeat(500)}]}`],
  ["a mebibyte of opening brackets", "[".repeat(mebibyte)],
  ["a mebibyte of opening braces", "{".repeat(mebibyte)],
  ["a mebibyte of brackets", "[]".repeat(mebibyte / 2)],
  ["a mebibyte of closing brackets", "]".repeat(mebibyte)],
  ["a mebibyte of nested keys", "a: ".repeat(mebibyte / 3)],
  ["a mebibyte of nested lists", "- ".repeat(mebibyte / 2)],
  ["a mebibyte of commas", `[${",".repeat(mebibyte)}]`],
  ["a mebibyte of quotes", '"'.repeat(mebibyte)],
  ["a mebibyte of anchors", "&a ".repeat(mebibyte / 3)],
  ["a mebibyte of tags", "! ".repeat(mebibyte / 2)],
  ["a mebibyte of explicit keys", "? ".repeat(mebibyte / 2)],
  ["a mebibyte of documents", "---\n".repeat(mebibyte / 4)],
  ["a mebibyte of directives", "%a\n".repeat(mebibyte / 3)],
  ["a mebibyte of maps", "{a: 1}\n".repeat(mebibyte / 7)],
  ["more than four mebibytes", "a".repeat(4 * mebibyte + 1)],
])("%s is refused, soon and for a reason", (_what, text) => {
  const before = performance.now();
  const parsed = parseYaml(text);
  expect("problems" in parsed && parsed.problems.length).toBeGreaterThan(0);
  expect("problems" in parsed && parsed.problems.length).toBeLessThan(100_000);
  // Generous: it is a few milliseconds for most, and the machine may be busy.
  expect(performance.now() - before).toBeLessThan(10_000);
});

function read(text: string): Json {
  const parsed = parseYaml(text);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return toJson(parsed.root);
}
