import { expect, test } from "vitest";
import { crash } from "./crash.ts";
import { storeMissing } from "./store-makers.ts";

// A small version of `pnpm crash`: the same seeds every time.
const seed = Number(process.env["FETCH_IMAGE_SEED"] ?? 1);
const missing = storeMissing("postgres");

test.skipIf(missing !== undefined)(
  `processes killed at their work on PostgreSQL lose nothing and do nothing twice${missing === undefined ? "" : `: ${missing}`}`,
  async () => {
    const { kills, failure } = await crash({ store: "postgres", runs: 8, seed, sources: true });
    expect(failure).toBeUndefined();
    expect(kills).toBeGreaterThanOrEqual(8);
  },
  240_000,
);
