// What every fact is made of: times as Date has them, ids as RFC 9562 has them.
import { createHash } from "node:crypto";
import { buildFactToStore, formatTime, nameUuid, parseTime, scopeFactToStore } from "@fetch-image/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { testHash } from "../support/stream-histories.ts";
import { seedFromEnv } from "./seed.ts";

const settings = { seed: seedFromEnv(), numRuns: 1000 };
const years0To9999 = { min: -62_167_219_200_000, max: 253_402_300_799_999 };

test("a time is written as Date writes it, and read as Date reads it, in all years from 0 to 9999", () => {
  fc.assert(
    fc.property(fc.integer(years0To9999), (ms) => {
      const iso = new Date(ms).toISOString();
      expect(formatTime(ms)).toBe(iso);
      expect(parseTime(iso)).toBe(ms);
    }),
    settings,
  );
});

test("every first and last millisecond of a month is as Date has it, leap years and all", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9998 }), fc.integer({ min: 0, max: 11 }), (year, month) => {
      const begin = new Date(0).setUTCFullYear(year, month, 1);
      for (const ms of [begin, begin - 1]) {
        expect(formatTime(ms)).toBe(new Date(ms).toISOString());
        expect(parseTime(formatTime(ms))).toBe(ms);
      }
    }),
    settings,
  );
});

test("later is greater, as a number and as text", () => {
  fc.assert(
    fc.property(fc.integer(years0To9999), fc.integer(years0To9999), (a, b) => {
      expect(formatTime(a) < formatTime(b)).toBe(a < b);
    }),
    settings,
  );
});

test("an id is the RFC 9562 name-based UUID, version 5, of its name in our namespace", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (name) => {
      expect(nameUuid(name, testHash)).toBe(uuidV5("6f1d9b52-7c04-4a8e-9d0a-2b8f5e3c7a11", name));
    }),
    settings,
  );
});

test("the test's own reckoning gives the UUID that RFC 9562 prints (appendix A.4)", () => {
  expect(uuidV5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "www.example.com")).toBe(
    "2ed6657d-e927-568b-95e1-2665a8aea6a2",
  );
});

test("a fact's id says which fact it is: the same on every node and at any time, another for every other fact", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), fc.nat(), (buildId, key, other, at) => {
      const fact = { type: "BuildPlanned", data: { buildId, plan: {} } } as const;
      const limit = { type: "RateLimitObserved", data: { host: key } } as const;
      const context = { stream: `build-${buildId}`, key, buildId, node: "node-a", at };
      const { id } = buildFactToStore(fact, context, testHash);
      expect(buildFactToStore(fact, { ...context, node: "node-b", at: at + 1, causationId: id }, testHash).id).toBe(id);
      expect(scopeFactToStore(limit, { ...context, stream: "imageScope-0a1b" }, testHash).id).not.toBe(id);
      expect(buildFactToStore(fact, { ...context, key: other }, testHash).id === id).toBe(other === key);
    }),
    settings,
  );
});

/** RFC 9562 §5.5, step by step, with SHA-1 from elsewhere than core. */
function uuidV5(namespace: string, name: string): string {
  const hashed = createHash("sha1")
    .update(Buffer.from(namespace.replaceAll("-", ""), "hex"))
    .update(name, "utf8")
    .digest();
  const bytes = hashed.subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) % 16) + 5 * 16, 6);
  bytes.writeUInt8((bytes.readUInt8(8) % 64) + 128, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
