import { describe, expect, test } from "vitest";
import { GroupCommit } from "./group-commit.ts";

/** Doubles numbers in batches, and notes the batches. */
function doubling(
  fail: (batch: readonly number[]) => Error | undefined = () => undefined,
  { elsewhere = false, atOnce = 1 } = {},
) {
  const batches: number[][] = [];
  const commits = new GroupCommit<number, number>({
    maxItems: 4,
    maxSize: 100,
    sizeOf: (item) => item,
    keyOf: (item) => String(item % 100),
    failed: (error) => error as Error,
    isOneItemsFault: (error) => error instanceof RangeError,
    bound: { items: 6, size: 1000, full: (waiting) => new Error(`${waiting} wait`) },
    elsewhere,
    atOnce: () => atOnce,
    flush: async (items) => {
      batches.push([...items]);
      const error = fail(items);
      await new Promise((resolve) => setTimeout(resolve, 5));
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

  test("is idle once everything was sent", async () => {
    const { commits, batches } = doubling();
    await commits.idle();
    const work = [1, 2, 3, 4, 5].map((item) => commits.add(item));
    await commits.idle();
    expect(batches.flat()).toEqual([1, 2, 3, 4, 5]);
    expect(await Promise.all(work)).toHaveLength(5);
  });

  describe("done elsewhere", () => {
    /** Adds items while the first batch is in flight, and notes what happens in which order. */
    async function inOrder(
      first: readonly number[],
      waiting: readonly number[],
      fail?: Parameters<typeof doubling>[0],
    ) {
      const happened: string[] = [];
      const { commits } = doubling(
        (batch) => {
          happened.push(`${batch.join("+")} sent`);
          return fail?.(batch);
        },
        { elsewhere: true },
      );
      const add = async (item: number): Promise<void> => {
        await commits.add(item).then(
          () => happened.push(`${item} done`),
          () => happened.push(`${item} failed`),
        );
      };
      const work = first.map(add);
      await new Promise((resolve) => setImmediate(resolve));
      work.push(...waiting.map(add));
      await commits.idle();
      await Promise.all(work);
      return happened;
    }

    /** Each item about something else, and none of them large. */
    function doneBy(
      flush: (items: readonly number[]) => Promise<readonly number[]>,
      { maxItems, atOnce = 1 }: { readonly maxItems: number; readonly atOnce?: number },
    ) {
      return new GroupCommit<number, number>({
        maxItems,
        maxSize: 1000,
        sizeOf: () => 1,
        keyOf: String,
        failed: (error) => error as Error,
        isOneItemsFault: () => false,
        bound: { items: 500, size: 1000, full: () => new Error("full") },
        elsewhere: true,
        atOnce: () => atOnce,
        flush,
      });
    }

    /** Puts four items in one batch, a fifth in the next, and waits for the first four. */
    async function fourAndOne(flush: (items: readonly number[]) => Promise<readonly number[]>) {
      const commits = doneBy(flush, { maxItems: 4 });
      const first = [1, 2, 3, 4].map((item) => commits.add(item));
      await new Promise((resolve) => setImmediate(resolve));
      const fifth = commits.add(5);
      expect(await Promise.all(first)).toEqual([1, 2, 3, 4]);
      return { commits, fifth };
    }

    test.each([
      { atOnce: 2, count: 16, sizes: [16] },
      { atOnce: 2, count: 60, sizes: [30, 30] },
      { atOnce: 1, count: 60, sizes: [30, 30] },
      { atOnce: 2, count: 500, sizes: [128, 128, 128, 116] },
    ])(
      "$count of one turn, $atOnce batches at once, are sent as $sizes: one half is done while the other is looked after",
      async ({ atOnce, count, sizes }) => {
        const batches: number[] = [];
        const flush = (items: readonly number[]) => {
          batches.push(items.length);
          return new Promise<readonly number[]>((resolve) => setTimeout(resolve, 5, items));
        };
        const commits = doneBy(flush, { maxItems: 128, atOnce });
        const items = Array.from({ length: count }, (_, index) => index);
        expect(await Promise.all(items.map((item) => commits.add(item)))).toEqual(items);
        expect(batches).toEqual(sizes);
      },
    );

    test("the next batch is on its way before outcomes are handed on, where enough waits", async () => {
      const sent: string[] = [];
      const { fifth } = await fourAndOne(async (items) => {
        // What it takes a driver to send something.
        await Promise.resolve();
        process.nextTick(() => sent.push(items.join("+")));
        await new Promise((resolve) => setTimeout(resolve, 5));
        return items;
      });
      expect(sent).toEqual(["1+2+3+4", "5"]);
      expect(await fifth).toBe(5);
    });

    test("a batch that fails before outcomes of the one before were handed on fails by itself", async () => {
      const { commits, fifth } = await fourAndOne(async (items) => {
        if (items.includes(5)) throw new Error("down");
        await new Promise((resolve) => setTimeout(resolve, 5));
        return items;
      });
      await expect(fifth).rejects.toThrow("down");
      expect(await commits.add(6)).toBe(6);
    });

    test("where less waits, outcomes come first, and what they lead to goes with it", async () => {
      const { commits, batches } = doubling(undefined, { elsewhere: true });
      const first = [1, 2, 3, 4].map((item) => commits.add(item));
      await new Promise((resolve) => setImmediate(resolve));
      const rest = first.map(async (outcome) => commits.add(await outcome));
      await Promise.all(rest);
      expect(batches).toEqual([
        [1, 2, 3, 4],
        [2, 4, 6, 8],
      ]);
      await commits.idle();
    });

    test("outcomes come in the order in which the items did, batch by batch", async () => {
      expect(await inOrder([1, 2, 3, 4], [5, 6, 7])).toEqual([
        "1+2+3+4 sent",
        "5+6+7 sent",
        "1 done",
        "2 done",
        "3 done",
        "4 done",
        "5 done",
        "6 done",
        "7 done",
      ]);
    });

    test("after a failure nothing that waits is sent before each item was told of it, or was tried by itself", async () => {
      expect(await inOrder([1, 2], [3], (batch) => (batch.includes(1) ? new Error("down") : undefined))).toEqual([
        "1+2 sent",
        "1 failed",
        "2 failed",
        "3 sent",
        "3 done",
      ]);
      expect(await inOrder([1, 2], [3], (batch) => (batch.includes(2) ? new RangeError("poison") : undefined))).toEqual(
        ["1+2 sent", "1 sent", "2 sent", "1 done", "2 failed", "3 sent", "3 done"],
      );
    });
  });

  describe("one behind the other", () => {
    /** Batches that are answered when they are told to be, oldest first. */
    function byHand() {
      const sent: string[] = [];
      const answers: ((error?: Error) => void)[] = [];
      const commits = new GroupCommit<string, string>({
        maxItems: 4,
        maxSize: 100,
        sizeOf: () => 1,
        // `a1` and `a2` are both about `a`.
        keyOf: (item) => item.slice(0, 1),
        failed: (error) => error as Error,
        isOneItemsFault: (error) => error instanceof RangeError,
        bound: { items: 100, size: 1000, full: () => new Error("full") },
        elsewhere: true,
        atOnce: () => 2,
        flush: (items) =>
          new Promise((resolve, reject) => {
            sent.push(items.join("+"));
            answers.push((error) => (error === undefined ? resolve(items) : reject(error)));
          }),
      });
      const add = (...items: readonly string[]) => Promise.allSettled(items.map((item) => commits.add(item)));
      const answer = async (error?: Error): Promise<void> => {
        answers.shift()?.(error);
        for (let turns = 0; turns < 3; turns++) await aTurn();
      };
      return { commits, sent, add, answer };
    }

    const aTurn = () => new Promise((resolve) => setImmediate(resolve));
    const of = (settled: readonly PromiseSettledResult<string>[]) =>
      settled.map((each) => (each.status === "fulfilled" ? each.value : String(each.reason)));

    test("the next batch is sent behind the one on its way once half as much waits, and no third one", async () => {
      const { commits, sent, add, answer } = byHand();
      const first = add("a", "b", "c", "d");
      await aTurn();
      const more = [add("e")];
      await aTurn();
      expect(sent).toEqual(["a+b+c+d"]);
      more.push(add("f"));
      await aTurn();
      expect(sent).toEqual(["a+b+c+d", "e+f"]);
      more.push(add("g", "h", "i", "j", "k"));
      await aTurn();
      expect(sent).toHaveLength(2);
      await answer();
      expect(of(await first)).toEqual(["a", "b", "c", "d"]);
      expect(sent.slice(2)).toEqual(["g+h+i+j"]);
      for (let batches = 0; batches < 3; batches++) await answer();
      await commits.idle();
      expect(sent.slice(3)).toEqual(["k"]);
      expect((await Promise.all(more)).flatMap(of)).toEqual(["e", "f", "g", "h", "i", "j", "k"]);
    });

    test("what is about the same as a batch on its way waits for its answer, in its order; the rest does not", async () => {
      const { commits, sent, add, answer } = byHand();
      const all = [add("a1", "b1")];
      await aTurn();
      all.push(add("a2", "c1", "a3", "d1"));
      await aTurn();
      expect(sent).toEqual(["a1+b1", "c1+d1"]);
      await answer();
      expect(sent.slice(2)).toEqual(["a2+a3"]);
      await answer();
      await answer();
      await commits.idle();
      expect((await Promise.all(all)).flatMap(of)).toEqual(["a1", "b1", "a2", "c1", "a3", "d1"]);
    });

    test("one that fails is nothing to the one behind it, and what is about the same comes after it was told", async () => {
      const { commits, sent, add, answer } = byHand();
      const first = add("a1", "b1");
      await aTurn();
      const second = add("c1");
      await aTurn();
      const third = add("a2");
      await answer(new Error("down"));
      expect(of(await first)).toEqual(["Error: down", "Error: down"]);
      expect(sent).toEqual(["a1+b1", "c1", "a2"]);
      await answer();
      await answer();
      expect([...of(await second), ...of(await third)]).toEqual(["c1", "a2"]);
      await commits.idle();
    });

    test("while items of a batch are tried one by one, nothing about the same is sent", async () => {
      const { commits, sent, add, answer } = byHand();
      const first = add("a1", "b1");
      await aTurn();
      const second = add("b2");
      await answer(new RangeError("poison"));
      expect(sent).toEqual(["a1+b1", "a1"]);
      await answer(new RangeError("poison"));
      expect(sent).toEqual(["a1+b1", "a1", "b1"]);
      await answer();
      expect(sent).toEqual(["a1+b1", "a1", "b1", "b2"]);
      await answer();
      expect([...of(await first), ...of(await second)]).toEqual(["RangeError: poison", "b1", "b2"]);
      await commits.idle();
    });

    test("outcomes are handed on in the order in which the batches were sent", async () => {
      const { commits, sent, add, answer } = byHand();
      const told: string[] = [];
      const first = add("a1", "b1").then((settled) => told.push(...of(settled)));
      await aTurn();
      const second = add("c1").then((settled) => told.push(...of(settled)));
      await aTurn();
      const third = add("d1");
      // Of the first one's answer, `d1` is sent before it is told; the second one's comes meanwhile.
      void answer();
      await answer(new Error("down"));
      await Promise.all([first, second]);
      expect(told).toEqual(["a1", "b1", "Error: down"]);
      expect(sent).toEqual(["a1+b1", "c1", "d1"]);
      await answer();
      expect(of(await third)).toEqual(["d1"]);
      await commits.idle();
    });
  });
});
