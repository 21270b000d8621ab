import { expect, test } from "vitest";
import { goJson, sortedMap } from "./go-json.ts";

test("what Go's encoder escapes is escaped, and nothing else", () => {
  const text = `<a href="x">&\u2028\u2029\b\f\n\r\t\u0000\u001f\u007f\\u003c é 👍 /'`;
  // As `json.Marshal` of Go 1.22 gives it.
  const go = String.raw`"\u003ca href=\"x\"\u003e\u0026\u2028\u2029\b\f\n\r\t\u0000\u001f${"\u007f"}\\u003c é 👍 /'"`;
  expect(goJson(text)).toBe(go);
  expect(JSON.parse(goJson(text))).toBe(text);
});

test("fields stand in the order given, and maps in the order of their keys' bytes", () => {
  expect(goJson({ b: 1, a: [true, null] })).toBe('{"b":1,"a":[true,null]}');
  // U+FF61 comes before U+1F600 in UTF-8, and behind it in UTF-16.
  expect(Object.keys(sortedMap({ "\u{1f600}": 1, "\uff61": 2, tag: 3, digest: 4 }))).toEqual([
    "digest",
    "tag",
    "\uff61",
    "\u{1f600}",
  ]);
});
