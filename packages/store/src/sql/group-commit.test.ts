import { describe, expect, test } from "vitest";
import { GroupCommit } from "./group-commit.ts";

/** Doubles numbers in batches, and notes the batches. */
function doubling(fail: (batch: readonly number[]) => Error | undefined = () => undefined) {
  const batches: number[][] = [];
  const commits = new GroupCommit<number, number>({
    maxItems: 4,
    maxSize: 100,
    sizeOf: (item) => item,
    failed: (error) => error as Error,
    isOneItemsFault: (error) => error instanceof RangeError,
    bound: { items: 6, size: 1000, full: (waiting) => new Error(`${waiting} wait`) },
    flush: async (items) => {
      batches.push([...items]);
      await new Promise((resolve) => setTimeout(resolve, 5));
      const error = fail(items);
      if (error !== undefined) throw error;
      return items.map((item) => item * 2);
    },
  });
  return { commits, batches };
}

describe("group commit", () => {
  test("takes what comes in one turn together, and the rest in the order it came", async () => {
    const { commits, batches } = doubling();
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map((item) => commits.add(item)));
    expect(answers).toEqual([2, 4, 6, 8, 10, 12]);
    expect(batches).toEqual([
      [1, 2, 3, 4],
      [5, 6],
    ]);
  });

  test("has one batch in flight, and waits for no clock", async () => {
    const { commits, batches } = doubling();
    const first = commits.add(1);
    await new Promise((resolve) => setImmediate(resolve));
    const rest = [2, 3].map((item) => commits.add(item));
    expect(batches).toEqual([[1]]);
    await first;
    await Promise.all(rest);
    expect(batches).toEqual([[1], [2, 3]]);
  });

  test("starts a batch with one item however large, and ends it before it grows too large", async () => {
    const { commits, batches } = doubling();
    await Promise.all([500, 60, 40, 1].map((item) => commits.add(item)));
    expect(batches).toEqual([[500], [60, 40], [1]]);
  });

  test("tells everyone of a failure, unless it was one item's fault", async () => {
    const all = doubling(() => new Error("down"));
    const outcomes = await Promise.allSettled([1, 2].map((item) => all.commits.add(item)));
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(all.batches).toEqual([[1, 2]]);

    const one = doubling((batch) => (batch.includes(2) ? new RangeError("poison") : undefined));
    const each = await Promise.allSettled([1, 2, 3].map((item) => one.commits.add(item)));
    expect(each.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(one.batches).toEqual([[1, 2, 3], [1], [2], [3]]);
    expect(await one.commits.add(4)).toBe(8);
  });

  test("turns away what comes while too many, or too much, waits, and takes more once there is room", async () => {
    const few = doubling();
    const first = few.commits.add(1);
    await new Promise((resolve) => setImmediate(resolve));
    const rest = [2, 3, 4, 5, 6, 7].map((item) => few.commits.add(item));
    await expect(few.commits.add(8)).rejects.toThrow("6 wait");
    expect(await Promise.all([first, ...rest])).toEqual([2, 4, 6, 8, 10, 12, 14]);
    expect(await few.commits.add(8)).toBe(16);

    const large = doubling();
    const alone = large.commits.add(5000);
    await expect(large.commits.add(1)).rejects.toThrow("1 wait");
    expect(await alone).toBe(10_000);
    expect(await large.commits.add(1)).toBe(2);
  });

  test("is idle once everything was answered", async () => {
    const { commits, batches } = doubling();
    await commits.idle();
    const work = [1, 2, 3, 4, 5].map((item) => commits.add(item));
    await commits.idle();
    expect(batches.flat()).toEqual([1, 2, 3, 4, 5]);
    expect(await Promise.all(work)).toHaveLength(5);
  });
});
