import { expect, test } from "vitest";
import { firstFailure } from "./first-failure.ts";
import { simulate } from "./simulate.ts";

test("whatever goes wrong, no fact is lost or doubled, nobody asks twice, and every fetch ends", async () => {
  expect(await firstFailure({ from: 0, count: 250 })).toBeUndefined();
}, 240_000);

test("a seed decides all of it: the same one makes the same history, and another one another", async () => {
  const hashes: string[] = [];
  for (let seed = 1; seed <= 8; seed++) {
    const { hash } = await simulate(seed);
    expect((await simulate(seed)).hash).toBe(hash);
    hashes.push(hash);
  }
  expect(new Set(hashes).size).toBe(hashes.length);
});
