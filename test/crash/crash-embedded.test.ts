import { expect, test } from "vitest";
import { crash } from "./crash.ts";

// In a file of its own, since files run beside each other.
const seed = Number(process.env["FETCH_IMAGE_SEED"] ?? 1);

test("processes killed at their work on the embedded store lose nothing and do nothing twice", async () => {
  const { kills, failure } = await crash({ store: "pglite", runs: 4, seed, sources: true });
  expect(failure).toBeUndefined();
  expect(kills).toBeGreaterThanOrEqual(4);
}, 240_000);
