import { expect, test } from "vitest";
import { cutSecrets, showCharacter, showText } from "./show-text.ts";

test.each([
  ["busybox:1.36", "busybox:1.36"],
  ["busybox@latest", "busybox@latest"],
  ["me@host/path", "***@host/path"],
  ["me:secret@host", "***@host"],
  ["https://me:secret@host/v2/?sig=abc#x", "***@host/v2/?***"],
  ["me:se?cr#et@host/v2/", "***@host/v2/"],
  ["host/path?sig=abc", "host/path?***"],
  ["user=me password=abc", "user=***=***"],
  [`busybox@sha256:${"a".repeat(64)}`, `busybox@sha256:${"a".repeat(64)}`],
  [`me:secret@host/x@sha256:${"a".repeat(64)}`, `***@host/x@sha256:${"a".repeat(64)}`],
  ["ghcr.io/acme/ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghcr.io/acme/***"],
  // A commit's id in a tag is no secret.
  ["acme/app:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c", "acme/app:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"],
])("%j is shown as %j", (text, shown) => {
  expect(cutSecrets(text)).toBe(shown);
});

test("what nobody can see is spelt out, so that every store can keep the message", () => {
  expect(showText("a\u0000b\n\u202ec\ud800d é")).toBe(String.raw`"a\u{0}b\u{a}\u{202e}c\u{d800}d é"`);
});

test("a long text is clipped between characters", () => {
  const shown = showText(`x${"\u{1f4a5}".repeat(5_000)}`);
  expect(shown.length).toBeLessThanOrEqual(103);
  expect(shown).toMatch(/…"$/);
  expect(shown.replaceAll("\u{1f4a5}", "")).toBe(`"x…"`);
});

test.each([
  ["a", `"a"`],
  [" ", "a space"],
  ['"', "a quotation mark"],
  ["é", `"é" (U+00E9)`],
  ["\u200b", "U+200B"],
  ["\ud800", "U+D800"],
])("the character %j is called %s", (character, name) => {
  expect(showCharacter(character)).toBe(name);
});
