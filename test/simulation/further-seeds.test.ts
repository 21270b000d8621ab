import { expect, test } from "vitest";
import { firstFailure } from "./first-failure.ts";

// In a file of its own, since files run beside each other.
test("the same holds for as many seeds more", async () => {
  expect(await firstFailure({ from: 250, count: 250 })).toBeUndefined();
}, 240_000);
