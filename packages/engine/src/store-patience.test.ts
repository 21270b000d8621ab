import { FetchImageError } from "@fetch-image/core";
import { expect, test } from "vitest";
import { withPatience } from "./store-patience.ts";

/** A store that is away, and a clock whose timers fire as the test says. */
function away() {
  const timers: (() => void)[] = [];
  let attempts = 0;
  const clock = {
    now: () => 0,
    after: (_ms: number, callback: () => void) => {
      timers.push(callback);
      return () => {};
    },
  };
  const work = async (): Promise<never> => {
    attempts++;
    throw new FetchImageError("FI_STORE_UNAVAILABLE");
  };
  return { clock, work, timers, attempts: () => attempts };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("works again after a pause while the store is away", async () => {
  const { clock, work, timers, attempts } = away();
  void withPatience(work, { clock, storePatienceMs: 60_000 }).catch(() => {});
  await settled();
  timers.pop()?.();
  await settled();
  expect([attempts(), timers.length]).toEqual([2, 1]);
});

test("works no more where it was over before the pause ended, and fails with what failed before", async () => {
  const { clock, work, timers, attempts } = away();
  let isOver = false;
  const done = withPatience(work, { clock, storePatienceMs: 60_000, isOver: () => isOver });
  await settled();
  isOver = true;
  timers.pop()?.();
  await expect(done).rejects.toMatchObject({ code: "FI_STORE_UNAVAILABLE" });
  expect(attempts()).toBe(1);
});
