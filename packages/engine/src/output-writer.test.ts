import { beforeEach, describe, expect, test } from "vitest";
import { OutputWriter } from "./output-writer.ts";

interface Written {
  readonly origin: string;
  readonly text: string;
  readonly stored: () => void;
}

let written: Written[];
let timers: (() => void)[];
let writer: OutputWriter;

beforeEach(() => {
  written = [];
  timers = [];
  writer = new OutputWriter({
    fetchId: "f1",
    planId: "p1",
    clock: {
      now: () => 0,
      after(_ms, callback) {
        timers.push(callback);
        return () => (timers = timers.filter((each) => each !== callback));
      },
    },
    redact: (text) => text.replaceAll("hunter2", "((redacted))"),
    write: ({ data: { origin, text } }) =>
      new Promise((resolve) => {
        written.push({ origin, text, stored: resolve });
      }),
  });
});

const kib = 1024;
const lines = (count: number) => `${"x".repeat(63)}\n`.repeat(count);
const texts = () => written.map(({ text }) => text);

/** A quarter of a second passes; what was written is stored, unless the store is away. */
async function tick(store: "answers" | "is away" = "answers"): Promise<void> {
  const due = timers;
  timers = [];
  for (const fire of due) fire();
  if (store === "answers") for (const { stored } of written) stored();
  await new Promise((resolve) => setImmediate(resolve));
}

describe("a step's output", () => {
  test("goes in whole lines, one fact of each origin a quarter of a second", async () => {
    await writer.write("one\ntw", "stdout");
    await writer.write("warning\n", "stderr");
    await tick();
    expect(written).toMatchObject([
      { origin: "stdout", text: "one\n" },
      { origin: "stderr", text: "warning\n" },
    ]);
    await writer.write("o\n", "stdout");
    await tick();
    writer.end();
    expect(texts()).toEqual(["one\n", "warning\n", "two\n"]);
  });

  test("holds no more than 64 KiB in a fact, and a step that waits loses nothing", async () => {
    let waited = 0;
    const all: string[] = [];
    for (let piece = 0; piece < 40; piece++) {
      const chunk = `${piece} ${lines(600)}`;
      all.push(chunk);
      const room = writer.write(chunk, "stdout");
      while (!(await isSettled(room))) {
        waited++;
        await tick();
      }
    }
    writer.end();
    expect(texts().join("")).toBe(all.join(""));
    expect(Math.max(...texts().map(({ length }) => length))).toBeLessThanOrEqual(64 * kib);
    expect(waited).toBeGreaterThan(10);
  });

  test("waits in bounded memory while the store is away: one fact on its way, and the rest is cut with a line that says so", async () => {
    for (let piece = 0; piece < 1000; piece++) {
      void writer.write(lines(128), "stdout");
      await tick("is away");
    }
    expect(written).toHaveLength(1);
    writer.end();
    const stored = texts().join("");
    expect(stored.length).toBeLessThan(330 * kib);
    const cut = /\[fetch-image left out (\d+) characters here: they came faster than they could be stored\]\n$/;
    const leftOut = Number(cut.exec(stored)?.[1]);
    expect(stored.replace(cut, "").length + leftOut).toBe(1000 * lines(128).length);
  });

  test("goes on behind the cut once the store answers, at the beginning of a line", async () => {
    for (let piece = 0; piece < 50; piece++) void writer.write(lines(128), "stdout");
    for (let second = 0; second < 8; second++) await tick();
    void writer.write("the end of a line that began in the gap\nback again\n", "stdout");
    writer.end();
    expect(texts().join("")).toMatch(/x\n\[fetch-image left out \d+ characters here.*\]\nback again\n$/);
  });

  test("cuts no secret in two, wherever a long line is cut", async () => {
    const chunk = "hunter2".repeat(30_000);
    for (let at = 0; at < chunk.length; at += 10_001) {
      void writer.write(chunk.slice(at, at + 10_001), "stdout");
      await tick();
    }
    for (let piece = 0; piece < 60; piece++) void writer.write(chunk.slice(0, 9999), "stderr");
    await tick();
    writer.end();
    expect(texts().join("").replaceAll("((redacted))", "")).not.toMatch(/hunter|unter2|nter2/);
  });

  test("that comes after the end is dropped, and nobody waits for room any more", async () => {
    const room = writer.write(lines(5000), "stdout");
    expect(await isSettled(room)).toBe(false);
    writer.end();
    await room;
    const before = texts().length;
    await writer.write("late\n", "stdout");
    expect(timers).toEqual([]);
    expect(texts()).toHaveLength(before);
  });
});

async function isSettled(promise: Promise<void>): Promise<boolean> {
  return await Promise.race([promise.then(() => true), new Promise<false>((resolve) => setImmediate(resolve, false))]);
}
