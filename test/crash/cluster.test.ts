import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Bundle } from "../support/bundle.ts";
import { fetchInCluster } from "./cluster.ts";
import { type StoreMaker, storeMakers, storeMissing } from "./store-makers.ts";
import { bundleWorker } from "./worker-process.ts";

// A small version of `pnpm crash --cluster`.
const missing = storeMissing("postgres");
let maker: StoreMaker;
let program: Bundle;
beforeAll(async () => {
  if (missing !== undefined) return;
  [maker, program] = await Promise.all([storeMakers.postgres(), bundleWorker({ sources: true })]);
}, 120_000);
afterAll(async () => {
  if (missing !== undefined) return;
  await maker[Symbol.asyncDispose]();
  program[Symbol.dispose]();
});

describe.skipIf(missing !== undefined)(
  `four processes on one PostgreSQL${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    const size = { processes: 4, fetches: 60, claimMs: 30_000 };

    test("ask the registry once for what all of them want", async () => {
      const { problems, manifestRequests, via } = await fetchInCluster({ ...size, maker, program, death: "none" });
      expect(problems).toEqual([]);
      expect(manifestRequests).toBe(1);
      const { joined = 0, fresh = 0, ...asked } = via;
      expect(asked).toEqual({ HEAD: 1 });
      expect(joined + fresh).toBe(size.fetches - 1);
    }, 120_000);

    test("ask once more where the one that asks is killed, and nobody who waits is lost", async () => {
      const { problems, manifestRequests, via } = await fetchInCluster({ ...size, maker, program, death: "adopted" });
      expect(problems).toEqual([]);
      expect(manifestRequests).toBe(2);
      const { joined = 0, fresh = 0, ...asked } = via;
      expect(asked).toEqual({ HEAD: 1 });
      expect(joined + fresh).toBe(size.fetches - 1);
    }, 120_000);
  },
);
