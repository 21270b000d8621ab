import { expect, test } from "vitest";
import { firstFailure } from "./first-failure.ts";

// In a file of its own, since files run beside each other.
test("the same holds for as many seeds more", async () => {
  expect(await firstFailure({ from: 250, count: 250 })).toBeUndefined();
}, 240_000);

// Who joined on a node that died took an answer from before the question; who came when a claim that was followed had
// ended took its answer, and so did who knew of a claim that nobody followed. The others are of processes that met what the
// store did not take, and were held to what it had.
test.each([50_556, 61_368, 62_072, 62_301, 62_714, 62_974, 63_149])(
  "and for seed %i, which failed once",
  async (from) => {
    expect(await firstFailure({ from, count: 1 })).toBeUndefined();
  },
);
