// Secrets in texts that come in pieces.
import { SecretScanner } from "@fetch-image/engine";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { seedFromEnv } from "./seed.ts";

// None of what stands for a secret, so that what is left can be told from it.
const letter = fc.constantFrom("x", "y", "z", "X");
const anySecret = fc.oneof(
  fc.array(letter, { minLength: 1, maxLength: 6 }).map((letters) => letters.join("")),
  fc
    .tuple(fc.array(letter, { minLength: 4, maxLength: 6 }), fc.array(letter, { minLength: 4, maxLength: 6 }))
    .map(([one, two]) => `${one.join("")}\n${two.join("")}`),
);
const anySecrets = fc.array(anySecret, { minLength: 1, maxLength: 4 });
const breaks = fc.constantFrom("", "", "", "", "\n", "\r\n", "\r", "\n\n");
const anyText = (secrets: readonly string[]) => {
  const wrapped = fc
    .tuple(fc.constantFrom(...secrets), fc.array(breaks, { minLength: 12, maxLength: 12 }))
    .map(([secret, between]) => Array.from(secret, (one, at) => one + (between[at] ?? "")).join(""));
  return fc
    .array(fc.oneof(letter, wrapped, fc.constantFrom(" ", "\n", "ab", "👍", "\ud83d")), { maxLength: 30 })
    .map((parts) => parts.join(""));
};
const any = anySecrets.chain((secrets) =>
  fc.tuple(fc.constant(secrets), anyText(secrets), fc.infiniteStream(fc.nat({ max: 5 }))),
);

test("however a text is cut, the pieces without their secrets are the whole text without its own", () => {
  fc.assert(
    fc.property(any, ([secrets, text, sizes]) => {
      const scanner = new SecretScanner(secrets);
      let safe = "";
      let held = "";
      let from = 0;
      while (from < text.length) {
        const to = from + (sizes.next().value ?? 1);
        const scanned = scanner.scan(held + text.slice(from, to), false);
        safe += scanned.text;
        held = scanned.held;
        from = to;
      }
      const { text: rest, held: none } = scanner.scan(held, true);
      expect(safe + rest).toBe(scanner.scan(text, true).text);
      expect(none).toBe("");
    }),
    { seed: seedFromEnv(), numRuns: 500 },
  );
});

test("no secret is left, line breaks within it or none", () => {
  fc.assert(
    fc.property(any, ([secrets, text]) => {
      const safe = new SecretScanner(secrets).scan(text, true).text.replaceAll("((redacted))", " ");
      const found = secrets.filter((secret) => {
        const wrapped = Array.from(secret.replaceAll("\n", "")).join("[\\r\\n]{0,4}");
        return new RegExp(wrapped).test(safe);
      });
      expect(found).toEqual([]);
    }),
    { seed: seedFromEnv(), numRuns: 500 },
  );
});

test("what is held is no more than the longest secret with its line breaks, and a text without secrets stays as it is", () => {
  fc.assert(
    fc.property(any, fc.string({ unit: "grapheme" }), ([secrets, text], other) => {
      const scanner = new SecretScanner(secrets);
      const longest = Math.max(...secrets.map((secret) => Buffer.from(secret).toString("base64").length));
      expect(scanner.scan(text, false).held.length).toBeLessThanOrEqual(longest * 5);
      expect(new SecretScanner([]).scan(other, true)).toEqual({ text: other, held: "" });
    }),
    { seed: seedFromEnv() },
  );
});
