import { expect, test } from "vitest";
import type { Json, JsonObject } from "../json.ts";
import { interpolate, interpolateJson } from "./interpolate.ts";
import { formatVarReference, parseVarReference } from "./var-reference.ts";
import { givenValue } from "./var-values.ts";
import { fromJson } from "./yaml-tree.ts";

const values: JsonObject = {
  host: "reg.example",
  port: 5000,
  on: true,
  list: [1, "two"],
  db: { user: "me", "a.b": { c: "deep" } },
  nested: "((host))",
  "path/to": { key: "slashed" },
  größe: "xl",
};

test.each<[Json, Json]>([
  ["((host))", "reg.example"],
  ["((host)):((port))/acme", "reg.example:5000/acme"],
  ["((port))", 5000],
  ["((on))", true],
  ["((list))", [1, "two"]],
  ["((db))", { user: "me", "a.b": { c: "deep" } }],
  ["((db.user))", "me"],
  ['((db."a.b".c))', "deep"],
  ["((path/to.key))", "slashed"],
  ["((größe))", "xl"],
  ["((missing)) and ((db.nobody))", "((missing)) and ((db.nobody))"],
  ["((db.user.further))", "((db.user.further))"],
  ["((vault:host))", "((vault:host))"],
  ["((.:host))", "((.:host))"],
  ["(( host ))", "(( host ))"],
  ["((host)", "((host)"],
  ["(((host)))", "(reg.example)"],
  ["((nested))", "((host))"],
  ["((constructor)) ((__proto__)) ((list.length))", "((constructor)) ((__proto__)) ((list.length))"],
  [{ "((host))": ["((port))", { a: "((on))" }] }, { "reg.example": [5000, { a: true }] }],
  [{ "((host))": 1, "reg.example": 2 }, { "reg.example": 2 }],
  [5, 5],
])("%j becomes %j", (written, value) => {
  expect(interpolateJson(written, (reference) => givenValue(reference, [values]))).toEqual(value);
});

test("a key that becomes another's is there once, as the last of the two", () => {
  const { root } = interpolate(fromJson({ "((host))": 1, "reg.example": 2 }, 0), () => "reg.example");
  expect(root).toMatchObject({ entries: [{ key: "reg.example", value: { value: 2 } }] });
});

test.each([
  ["x((list))", "((list)) is a list; only text and numbers can stand among other text"],
  ["x((db))", "((db)) is a map"],
  ["x((on))", "((on)) is a boolean"],
])("%s is refused", (written, says) => {
  const { problems } = interpolate(fromJson(written, 7), (reference) => givenValue(reference, [values]));
  expect(problems).toEqual([{ at: 7, path: "", says: expect.stringContaining(says) }]);
});

test("a value nested beyond all measure is refused", () => {
  let deep: Json = "x";
  for (let level = 0; level < 100_000; level++) deep = [deep];
  const { problems } = interpolate(fromJson("((deep))", 0), () => deep);
  expect(problems).toMatchObject([{ says: expect.stringContaining("nested deeper than 100 levels") }]);
});

test("the first values that have a var win, field by field", () => {
  const get = (name: string) => givenValue({ path: name, fields: ["x"] }, [{ a: { y: 1 } }, { a: { x: 2 }, b: 3 }]);
  expect(get("a")).toBe(2);
  expect(get("b")).toBeUndefined();
});

test.each([
  ["foo", { path: "foo", fields: [] }, "foo"],
  ["foo.bar.baz", { path: "foo", fields: ["bar", "baz"] }, "foo.bar.baz"],
  ['foo."a.b".c', { path: "foo", fields: ["a.b", "c"] }, 'foo."a.b".c'],
  ['"some.path".f', { path: "some.path", fields: ["f"] }, '"some.path".f'],
  ["src:path/to.f", { source: "src", path: "path/to", fields: ["f"] }, 'src:"path/to".f'],
  ['src:"a:b".f', { source: "src", path: "a:b", fields: ["f"] }, 'src:"a:b".f'],
  [".:local.x", { source: ".", path: "local", fields: ["x"] }, ".:local.x"],
])("((%s)) is taken apart as Concourse does, and written again", (name, reference, written) => {
  const parsed = parseVarReference(name);
  expect(parsed).toEqual(reference);
  expect(parsed && formatVarReference(parsed)).toBe(written);
});

test.each(["", "a.", ".a", "a..b", 'a"b', '"src":x', ":x", "x:", '""'])("((%s)) is no var", (name) => {
  expect(parseVarReference(name)).toBeUndefined();
});
