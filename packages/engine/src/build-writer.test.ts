import { type ExpectedRevision, type FetchImageError, type NewFact, silentLogger } from "@fetch-image/core/fetching";
import { expect, test } from "vitest";
import { createTicker } from "./ticker.ts";
import { BuildWriter } from "./build-writer.ts";

function fact(id: number, output = ""): NewFact {
  return { id: String(id), type: output === "" ? "TimerFired" : "OutputWritten", data: { text: output }, metadata: {} };
}

/** A writer over a store whose first append is held until `open`, and what was appended. */
function held() {
  const appends: { readonly expected: ExpectedRevision; readonly facts: readonly NewFact[] }[] = [];
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const writer = new BuildWriter({
    eventLog: {
      append: async (_stream, expected, facts) => {
        appends.push({ expected, facts });
        await gate;
        const first = expected === "no-stream" ? -1n : expected;
        return { revision: first + BigInt(facts.length), position: "0" };
      },
      read: async () => [],
      readAll: async () => ({ facts: [], next: undefined, end: true }),
      subscribe: () => ({ [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) }),
      close: async () => {},
    },
    stream: "build-1",
    ticker: createTicker(),
    clock: { now: () => 0, after: () => () => {} },
    logger: silentLogger,
    storePatienceMs: 1000,
    revision: undefined,
    preface: () => [fact(-1)],
    onConflict: async (conflict: FetchImageError) => conflict,
    onFailure: () => {},
  });
  return { writer, appends, open };
}

test("what gathered while the store was slow goes in appends that a store takes, in order, each at the revision before", async () => {
  const { writer, appends, open } = held();
  const first = writer.submit([fact(0)]);
  await new Promise((resolve) => setImmediate(resolve));
  const rest = Array.from({ length: 200 }, (_, call) =>
    writer.submit([fact(1 + 3 * call), fact(2 + 3 * call), fact(3 + 3 * call)]),
  );
  expect(writer.waiting).toBe(600);
  open();
  await Promise.all([first, ...rest]);
  expect(appends.map(({ facts }) => facts.length)).toEqual([2, 255, 255, 90]);
  expect(appends.map(({ expected }) => expected)).toEqual(["no-stream", 1n, 256n, 511n]);
  expect(appends.flatMap(({ facts }) => facts.map(({ id }) => Number(id)))).toEqual(
    Array.from({ length: 602 }, (_, index) => index - 1),
  );
  expect(writer.waiting).toBe(0);
});

test("output is cut into appends by its length, and what is submitted together stays together", async () => {
  const { writer, appends, open } = held();
  const chunk = "x".repeat(64 * 1024);
  const first = writer.submit([]);
  await new Promise((resolve) => setImmediate(resolve));
  const rest = [1, 2, 3].map((id) => writer.submit([fact(id, chunk)]));
  const many = writer.submit(Array.from({ length: 300 }, (_, index) => fact(10 + index)));
  open();
  await Promise.all([first, ...rest, many]);
  expect(appends.map(({ facts }) => facts.length)).toEqual([1, 2, 1, 300]);
});
