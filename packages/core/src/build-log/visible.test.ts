import { expect, test } from "vitest";
import { visible } from "./visible.ts";

test("characters that a terminal obeys are spelt out", () => {
  expect(visible("a\u001b[31mb\u0007\u007f\u009bc\r\n\td")).toBe("a\\u{1b}[31mb\\u{7}\\u{7f}\\u{9b}c\\r\\n\\td");
});

test("characters that nobody can see, or that turn text around, are spelt out", () => {
  expect(visible("a\u00a0\u00ad\u200b\u202e\u2066\u2028\ufeff\ud800b\udc00\u{e0041}")).toBe(
    "a\\u{a0}\\u{ad}\\u{200b}\\u{202e}\\u{2066}\\u{2028}\\u{feff}\\u{d800}b\\u{dc00}\\u{e0041}",
  );
});

test("everything else stays as it is", () => {
  const text = "näh — 日本語 עברית 👍🏽 \\u{1b} `\"'<&>";
  expect(visible(text)).toBe(text);
});
