import { redactor } from "@fetch-image/engine";
import { expect, test } from "vitest";

test("every form of a secret is cut: plain, in a URL, in JSON, in base64, line by line", () => {
  const secret = 'p"w/1\nsecond line';
  const redact = redactor([secret]);
  for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret), btoa(secret), "second line"]) {
    expect(redact(`before ${form} after`)).toMatch(/^before "?\(\(redacted\)\)"? after$/);
  }
});

test("secrets that stand in each other, or in the mark itself, leave nothing behind and break no mark", () => {
  const redact = redactor(["act", "red", "secret-act", "(("]);
  expect(redact("a secret-act, an act, a red one, and ((vars))")).toBe(
    "a ((redacted)), an ((redacted)), a ((redacted)) one, and ((redacted))vars))",
  );
});

test("signs that patterns are made of are signs", () => {
  expect(redactor(["a.c", "x|y", "$1", "[z"])("abc a.c x y x|y $1 [z")).toBe(
    "abc ((redacted)) x y ((redacted)) ((redacted)) ((redacted))",
  );
});

test("without a secret nothing is touched, and an empty one is none", () => {
  expect(redactor([])("text")).toBe("text");
  expect(redactor([""])("text")).toBe("text");
});

test("a secret that is no well-formed text is cut as well", () => {
  expect(redactor(["ab\uD800cd"])("x ab\uD800cd y")).toBe("x ((redacted)) y");
});
