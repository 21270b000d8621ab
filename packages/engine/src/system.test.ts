import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { nodeHash } from "./system.ts";

const namespace = Uint8Array.of(0x6f, 0x1d, 0x9b, 0x52);
const other = Uint8Array.of(0xff, 0x00);

function sha1(prefix: Uint8Array, text: string): string {
  return createHash("sha1").update(prefix).update(text).digest("hex");
}

describe("the hash of ids", () => {
  test.each([
    "",
    "build-1\n1/image-get\n0",
    "Zürich 🚢",
    "x".repeat(251),
    "x".repeat(252),
    "é".repeat(700),
    "é".repeat(5000),
  ])("is SHA-1 of the prefix and the text in UTF-8: %#", (text) => {
    expect(nodeHash.sha1Hex(namespace, text)).toBe(sha1(namespace, text));
  });

  test("is the same whatever was hashed before, behind whichever prefix", () => {
    const names = Array.from({ length: 300 }, (_, length) => "n".repeat(length % 260));
    const prefixes = [namespace, other, namespace, namespace, other];
    const asked = names.map((name, at) => [prefixes[at % prefixes.length] ?? namespace, name] as const);
    expect(asked.map(([prefix, name]) => nodeHash.sha1Hex(prefix, name))).toEqual(
      asked.map(([prefix, name]) => sha1(prefix, name)),
    );
  });
});
