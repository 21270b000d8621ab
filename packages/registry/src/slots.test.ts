import { expect, test } from "vitest";
import { createSlots } from "./slots.ts";

const { signal } = new AbortController();

test("so many are given, and the next as soon as one is given back, first come first served", async () => {
  const slots = createSlots(2);
  const [first] = [await slots.take(signal), await slots.take(signal)];
  const order: string[] = [];
  const waiting = ["a", "b"].map(async (name) => {
    const giveBack = await slots.take(signal);
    order.push(name);
    giveBack();
  });
  await Promise.resolve();
  expect(order).toEqual([]);
  first?.();
  await Promise.all(waiting);
  expect(order).toEqual(["a", "b"]);
});

test("whoever stops waiting takes none with him", async () => {
  const slots = createSlots(1);
  const giveBack = await slots.take(signal);
  const controller = new AbortController();
  const leaving = slots.take(controller.signal);
  const staying = slots.take(signal);
  controller.abort(new Error("enough"));
  await expect(leaving).rejects.toThrow("abort");
  giveBack();
  (await staying)();
  await expect(slots.take(signal)).resolves.toBeTypeOf("function");
  await expect(slots.take(controller.signal)).rejects.toThrow("abort");
});
