import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

test("work of one stream goes in its order, of others at the same time, of all no more than fits", async () => {
  const turns = new Turns(5);
  const log: string[] = [];
  let weight = 0;
  let heaviest = 0;
  const work = (stream: string, name: string, heavy: number) =>
    turns.take(stream, heavy, async () => {
      weight += heavy;
      heaviest = Math.max(heaviest, weight);
      log.push(name);
      await new Promise((resolve) => setImmediate(resolve));
      weight -= heavy;
      return name;
    });
  const all = [work("a", "a1", 2), work("b", "b1", 2), work("a", "a2", 1), work("c", "c1", 5), work("d", "d1", 1)];
  expect(await Promise.all(all)).toEqual(["a1", "b1", "a2", "c1", "d1"]);
  expect(log.indexOf("a1")).toBeLessThan(log.indexOf("a2"));
  expect(log.slice(0, 2)).toEqual(["a1", "b1"]);
  expect(heaviest).toBe(5);
});

test("work that fails lets the next of its stream go on", async () => {
  const turns = new Turns(1);
  const failed = turns.take("a", 1, () => Promise.reject(new Error("no")));
  const next = turns.take("a", 1, () => Promise.resolve("yes"));
  await expect(failed).rejects.toThrow("no");
  expect(await next).toBe("yes");
  await turns.idle();
});
