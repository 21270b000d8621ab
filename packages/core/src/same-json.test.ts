import { expect, test } from "vitest";
import { isSameJson } from "./same-json.ts";

const value = { a: 1, b: ["x", { c: null, d: true }], e: {} };

test.each<[string, unknown, unknown]>([
  ["another object with the same fields", value, structuredClone(value)],
  ["the fields in another order", value, { e: {}, b: ["x", { d: true, c: null }], a: 1 }],
  ["a field that is undefined beside none", { ...value, f: undefined }, value],
  ["none beside a field that is undefined", value, { ...value, f: undefined }],
])("the same: %s", (_, a, b) => {
  expect(isSameJson(a, b)).toBe(true);
});

test.each<[string, unknown, unknown]>([
  ["a field more", value, { ...value, f: null }],
  ["a field less", { ...value, f: null }, value],
  ["as many fields, of other names", { a: 1, b: 2 }, { a: 1, c: 2 }],
  ["undefined beside another field", { a: undefined, b: 1 }, { c: 1, b: 1 }],
  ["another order of a list", ["x", "y"], ["y", "x"]],
  ["a longer list", ["x"], ["x", "x"]],
  ["a list beside an object", ["x"], { 0: "x" }],
  ["a number beside its text", 1, "1"],
  ["null beside an object", null, {}],
  ["what an object inherits", { toString: "x" }, {}],
])("not the same: %s", (_, a, b) => {
  expect(isSameJson(a, b)).toBe(false);
  expect(isSameJson(b, a)).toBe(false);
});
