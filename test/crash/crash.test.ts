import { describe, expect, test } from "vitest";
import { crash } from "./crash.ts";
import { storeMissing } from "./store-makers.ts";

// A small version of `pnpm crash`: the same seeds every time.
const seed = Number(process.env["FETCH_IMAGE_SEED"] ?? 1);
const missing = storeMissing("postgres");

describe.skipIf(missing !== undefined)(`on PostgreSQL${missing === undefined ? "" : `: ${missing}`}`, () => {
  test.each([
    ["postgres", seed],
    ["postgres-pipeline", seed + 3],
  ] as const)(
    "processes killed at their work lose nothing and do nothing twice (%s)",
    async (store, first) => {
      const { kills, failure } = await crash({ store, runs: 3, seed: first, sources: true });
      expect(failure).toBeUndefined();
      expect(kills).toBeGreaterThanOrEqual(3);
    },
    240_000,
  );
});
