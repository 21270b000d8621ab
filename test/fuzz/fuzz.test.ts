import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fuzz, inputOf, must, pureTarget, texts } from "./target.ts";
import { targets } from "./targets.ts";

// A small version of `pnpm fuzz`: the same inputs every time, so that a failure is the change's and not the day's.
const firstSeed = 20_261_122;

// Named TARGET.WHAT-WENT-WRONG.
const kept = new URL("kept/", import.meta.url);
const files = readdirSync(kept);

describe.each(targets)("whatever bytes $name is given", (target) => {
  test("it answers, or refuses in our words, and nothing else happens", async () => {
    expect(await fuzz(target, { runs: 120, seed: firstSeed })).toBeUndefined();
  });

  for (const file of files.filter((each) => each.startsWith(`${target.name}.`))) {
    test(`what once went wrong goes wrong no more: ${file.slice(target.name.length + 1)}`, async () => {
      await using open = await target.open();
      expect(await open.take(readFileSync(new URL(file, kept)))).toBeUndefined();
    });
  }
});

test("a seed makes the same input each time, and its neighbour another", () => {
  for (const target of targets) {
    expect(inputOf(target, 7)).toEqual(inputOf(target, 7));
    const made = new Set(Array.from({ length: 50 }, (_, seed) => Buffer.from(inputOf(target, seed)).toString("hex")));
    expect(made.size).toBeGreaterThan(25);
  }
});

test("what goes wrong is told with the seed that makes the same input again", async () => {
  const fragile = pureTarget({
    name: "fragile",
    seeds: texts("abc"),
    words: ["!"],
    take: (text) => must(!text.includes("!"), "it cannot bear that"),
  });
  const failure = await fuzz(fragile, { runs: 1000, seed: 1 });
  expect(failure?.error).toMatchObject({ message: "it cannot bear that" });
  expect(inputOf(fragile, failure?.seed ?? 0)).toEqual(failure?.input);
  expect(await fuzz(fragile, { runs: 1, seed: failure?.seed ?? 0 })).toEqual(failure);
});

test("every kept input belongs to a target", () => {
  const names = targets.map(({ name }) => name);
  expect(files.filter((file) => !names.includes(file.split(".", 1)[0] ?? ""))).toEqual([".gitkeep"]);
});
