import { expect, test } from "vitest";
import type { Hash } from "../ports/hash.ts";
import { nameUuid } from "./uuid.ts";

/** Gives these 20 bytes for whatever it is asked, and keeps what it was asked. */
function hashGiving(byte: number) {
  const asked: { prefix: Uint8Array; text: string }[] = [];
  const hash: Hash = {
    sha1(prefix, text) {
      asked.push({ prefix, text });
      return new Uint8Array(20).fill(byte);
    },
    sha256Hex: () => "",
  };
  return { hash, asked };
}

test("version and variant replace six bits of the hash and leave the others", () => {
  expect(nameUuid("name", hashGiving(0x00).hash)).toBe("00000000-0000-5000-8000-000000000000");
  expect(nameUuid("name", hashGiving(0xff).hash)).toBe("ffffffff-ffff-5fff-bfff-ffffffffffff");
});

test("the name is hashed behind the namespace, which never changes", () => {
  const { hash, asked } = hashGiving(0);
  nameUuid("build-1\nf1\n0", hash);
  const hex = [...(asked[0]?.prefix ?? [])].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  expect({ hex, text: asked[0]?.text }).toEqual({ hex: "6f1d9b527c044a8e9d0a2b8f5e3c7a11", text: "build-1\nf1\n0" });
});

test("the hash's own bytes are left as they are", () => {
  const bytes = new Uint8Array(20).fill(0xff);
  nameUuid("name", { sha1: () => bytes, sha256Hex: () => "" });
  expect([...bytes]).toEqual(Array.from({ length: 20 }, () => 0xff));
});
