import { expect, test } from "vitest";
import { crash } from "./crash.ts";

const seed = Number(process.env["FETCH_IMAGE_SEED"] ?? 1);

test("processes killed at their work on EventStoreDB lose nothing and do nothing twice", async () => {
  const { kills, failure } = await crash({ store: "eventstoredb", runs: 6, seed, sources: true });
  expect(failure).toBeUndefined();
  expect(kills).toBeGreaterThanOrEqual(6);
}, 240_000);
