import type { Digest, RegistryImageSource } from "@fetch-image/core";
import { expect, test } from "vitest";
import { createTagBook } from "./tag-book.ts";

const source = { repository: "registry.test/app" };
const own = { name: "registry.test/app" };
const digest = (number: number): Digest => `sha256:${String(number).padStart(64, "0")}`;

test("what was learned is told with whether it was lately", () => {
  const memory = createTagBook().of(source, own);
  memory.learn("1", digest(1), 100);
  memory.learn("2", "absent", 200);
  expect([...memory.recall(200)]).toEqual([
    ["1", { digest: digest(1), recent: false }],
    ["2", { digest: "absent", recent: true }],
  ]);
  expect(memory.recall(Number.NEGATIVE_INFINITY).get("1")?.recent).toBe(true);
  memory.learn("1", digest(3), 300);
  expect(memory.recall(300).get("1")).toEqual({ digest: digest(3), recent: true });
});

test("sources share what does not depend on how they choose their tags, and nothing else", () => {
  const book = createTagBook();
  book.of(source, own).learn("1", digest(1), 100);
  const knows = (other: RegistryImageSource, target = own) => book.of(other, target).recall(0).size === 1;
  expect(knows({ ...source, tag_regex: "^1" })).toBe(true);
  expect(knows({ ...source, semver_constraint: ">1", platform: { os: "windows" } })).toBe(true);
  expect(knows({ ...source, username: "alice", password: "s3cret" })).toBe(false);
  expect(knows({ ...source, insecure: true })).toBe(false);
  expect(knows({ ...source, ca_certs: ["-----BEGIN CERTIFICATE-----"] })).toBe(false);
  expect(knows({ repository: "registry.test/other" })).toBe(false);
  expect(knows(source, { name: "mirror.test/app" })).toBe(false);
});

test("the repositories that were used last are kept, as many tags as the bound says", () => {
  const book = createTagBook(4);
  const memories = ["a", "b", "c"].map((name) => book.of({ repository: `registry.test/${name}` }, { name }));
  const sizes = () => memories.map((memory) => memory.recall(0).size);
  const [a, b, c] = memories;
  for (const memory of [a, b]) for (const tag of ["1", "2"]) memory?.learn(tag, digest(1), 0);
  a?.learn("1", digest(2), 0);
  c?.learn("1", digest(1), 0);
  expect(sizes()).toEqual([2, 0, 1]);
  a?.keepOnly(["2", "3"]);
  expect(sizes()).toEqual([1, 0, 1]);
  for (let tag = 0; tag < 5; tag++) c?.learn(String(tag), digest(1), 0);
  expect(sizes().reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(4);
});
