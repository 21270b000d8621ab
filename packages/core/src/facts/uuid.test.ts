import { expect, test } from "vitest";
import type { Hash } from "../ports/hash.ts";
import { nameUuid } from "./uuid.ts";

/** Gives 20 times this byte for whatever it is asked, and keeps what it was asked. */
function hashGiving(byte: string) {
  const asked: { prefix: Uint8Array; text: string }[] = [];
  const hash: Hash = {
    sha1Hex(prefix, text) {
      asked.push({ prefix, text });
      return byte.repeat(20);
    },
    sha256Hex: () => "",
  };
  return { hash, asked };
}

test("version and variant replace six bits of the hash and leave the others", () => {
  expect(nameUuid("name", hashGiving("00").hash)).toBe("00000000-0000-5000-8000-000000000000");
  expect(nameUuid("name", hashGiving("ff").hash)).toBe("ffffffff-ffff-5fff-bfff-ffffffffffff");
});

test("the name is hashed behind the namespace, which never changes", () => {
  const { hash, asked } = hashGiving("00");
  nameUuid("build-1\nf1\n0", hash);
  const hex = [...(asked[0]?.prefix ?? [])].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  expect({ hex, text: asked[0]?.text }).toEqual({ hex: "6f1d9b527c044a8e9d0a2b8f5e3c7a11", text: "build-1\nf1\n0" });
});

test("only the six bits of version and variant are lost of a hash", () => {
  const digits = Array.from("0123456789abcdef");
  const hash = (at: number): Hash => ({
    sha1Hex: () => `${"0".repeat(16)}${digits[at]}${"0".repeat(23)}`,
    sha256Hex: () => "",
  });
  expect(digits.map((_, at) => nameUuid("name", hash(at))[19]).join("")).toBe("89ab89ab89ab89ab");
});
