import {
  type Appended,
  type ExpectedRevision,
  FetchImageError,
  formatTime,
  type NewFact,
  type RecordedFact,
  silentLogger,
  type Version,
} from "@fetch-image/core";
import { expect, test } from "vitest";
import { Deferred } from "./deferred.ts";
import { ScopeStream, type StreamOptions } from "./scope-stream.ts";
import { type Make, ScopeWriter } from "./scope-writer.ts";
import { createTicker } from "./ticker.ts";

const asker = { buildId: "1", fetchId: "2/image-get" };
const conflict = () => new FetchImageError("FI_WRONG_EXPECTED_REVISION");
const unknown = () => new FetchImageError("FI_APPEND_OUTCOME_UNKNOWN");

interface Attempt {
  readonly expected: ExpectedRevision;
  readonly facts: readonly NewFact[];
  readonly outcome: Deferred<Appended>;
}

/** A stream over a store that does what the test says with each append, and holds what the test puts there. */
function held() {
  const attempts: Attempt[] = [];
  const stored: RecordedFact[] = [];
  /** Made when reading is held: what each reading gives then. */
  const readings: Deferred<readonly RecordedFact[]>[] = [];
  let isHeld = false;
  let numbers = 0;
  const options: StreamOptions = {
    eventLog: {
      append: (_stream, expected, facts) => {
        const outcome = new Deferred<Appended>();
        attempts.push({ expected, facts, outcome });
        return outcome.promise;
      },
      read: async (_stream, { from = 0n } = {}) => {
        if (!isHeld) return stored.filter(({ revision }) => revision >= from);
        const reading = new Deferred<readonly RecordedFact[]>();
        readings.push(reading);
        return await reading.promise;
      },
      readAll: async () => ({ facts: [], next: undefined, end: true }),
      subscribe: () => ({ [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) }),
      close: async () => {},
    },
    clock: {
      now: () => 0,
      after: (_ms, callback) => {
        setImmediate(callback);
        return () => {};
      },
    },
    hash: { sha1Hex: (_prefix, text) => text.padEnd(40, "0"), sha256Hex: () => "" },
    ticker: createTicker(),
    logger: silentLogger,
    node: "node-a",
    nextNumber: () => numbers++,
    storePatienceMs: 60_000,
  };
  const stream = new ScopeStream("0a1b", {
    ...options,
    writer: new ScopeWriter(options),
    onMet: () => {},
    onKept: () => {},
  });
  /** What another node has stored. */
  const store = (proof: string) => {
    const { type, data } = observed(proof, "b".repeat(64));
    const metadata = { schema: 1, node: "node-b", time: formatTime(0), $correlationId: "9" };
    const revision = BigInt(stored.length);
    stored.push({ id: `${revision}`, stream: stream.name, type, data, metadata, revision, position: "" });
  };
  const holdReading = () => {
    isHeld = true;
  };
  return { stream, attempts, store, stored, readings, holdReading };
}

function observed(proof: string, hex: string, changed = true) {
  const version: Version = { digest: `sha256:${hex}` };
  return {
    type: "VersionObserved",
    data: { version, changed, via: "HEAD", host: "r.test", status: 200, proof, asker },
  } as const;
}

/** An answer, which says whether it is news. */
function answer(proof: string): Make {
  const hex = "a".repeat(64);
  return ({ latest }) => {
    const changed = latest?.["digest"] !== `sha256:${hex}`;
    return { facts: [observed(proof, hex, changed)], buildId: "1", at: 0 };
  };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const ids = ({ facts }: Attempt) => facts.map(({ id }) => id);

test("who was refused after what came first had been read by somebody else writes behind it, if it was not for him", async () => {
  const { stream, attempts, store } = held();
  const mine = stream.entryOf("mine").append(answer("mine"));
  await turns();
  store("theirs");
  await stream.readOn();
  attempts[0]?.outcome.reject(conflict());
  await turns();
  expect(attempts.map(({ expected }) => expected)).toEqual(["no-stream", 0n]);
  attempts[1]?.outcome.resolve({ revision: 1n, position: "1" });
  expect(await mine).toBe(true);
  expect(stream.outline.revision).toBe(1n);
});

test("what is written behind a fact was made on all that stands before it, whoever reads on meanwhile", async () => {
  // The two readings end so many microtasks after one another.
  for (let apart = 0; apart < 10; apart++) {
    const { stream, attempts, store, stored, readings, holdReading } = held();
    const madeOn: (bigint | undefined)[] = [];
    const make: Make = (state) => {
      madeOn.push(state.revision);
      return answer("mine")(state);
    };
    void stream.entryOf("mine").append(make);
    await turns();
    store("theirs");
    holdReading();
    attempts[0]?.outcome.reject(conflict());
    await turns();
    void stream.readOn();
    readings[0]?.resolve([...stored]);
    store("mine");
    for (let passed = 0; passed < apart; passed++) await Promise.resolve();
    readings[1]?.resolve([...stored]);
    await turns();
    const [, second] = attempts;
    expect(second?.expected, `${apart} microtasks apart`).toBe(second === undefined ? undefined : madeOn.at(-1));
  }
});

test("who was refused because of what was for him decides again", async () => {
  const { stream, attempts, store } = held();
  const mine = stream.entryOf("mine").append(answer("mine"));
  await turns();
  store("mine");
  attempts[0]?.outcome.reject(conflict());
  expect(await mine).toBe(false);
  expect([attempts.length, stream.entryOf("mine").state.revision]).toEqual([1, 0n]);
});

test("what the store did not say it stored is repeated to the letter, whatever has been read since", async () => {
  const { stream, attempts, store } = held();
  const mine = stream.entryOf("mine").append(answer("mine"));
  await turns();
  store("theirs");
  await stream.readOn();
  attempts[0]?.outcome.reject(unknown());
  await turns();
  expect(attempts.map(({ expected }) => expected)).toEqual(["no-stream", "no-stream"]);
  expect(attempts.map(ids)[1]).toEqual(attempts.map(ids)[0]);
  attempts[1]?.outcome.reject(conflict());
  await turns();
  expect(attempts[2]?.expected).toBe(0n);
  expect(attempts.map(ids)[2]).not.toEqual(attempts.map(ids)[0]);
  attempts[2]?.outcome.resolve({ revision: 1n, position: "1" });
  expect(await mine).toBe(true);
});

test("a conflict with nothing to read is an error, not a loop; who came after it is written", async () => {
  const { stream, attempts } = held();
  const first = stream.entryOf("first").append(answer("first"));
  const second = stream.entryOf("second").append(answer("second"));
  first.catch(() => {});
  await turns();
  attempts[0]?.outcome.reject(conflict());
  await expect(first).rejects.toMatchObject({ code: "FI_WRONG_EXPECTED_REVISION" });
  await turns();
  attempts[1]?.outcome.resolve({ revision: 0n, position: "0" });
  expect(await second).toBe(true);
});

test("what waits goes together, fifty at a time, one append after another; of the same answer the first one alone is news", async () => {
  const { stream, attempts } = held();
  const proofs = Array.from({ length: 112 }, (_, job) => `job ${job}`);
  const all = Promise.all(proofs.map((proof) => stream.entryOf(proof).append(answer(proof))));
  let last = -1n;
  for (const [index, size] of [1, 50, 50, 11].entries()) {
    await turns();
    expect(attempts.map(({ facts }) => facts.length).slice(index)).toEqual([size]);
    last += BigInt(size);
    attempts[index]?.outcome.resolve({ revision: last, position: String(last) });
  }
  expect(new Set(await all)).toEqual(new Set([true]));
  const news = attempts.flatMap(({ facts }) => facts.map(({ data }) => data["changed"]));
  expect(news).toEqual([true, ...Array<boolean>(111).fill(false)]);
});

test("an answer that cannot be made keeps nobody else from writing his", async () => {
  const { stream, attempts } = held();
  const broken: Make = () => {
    throw new Error("cannot be made");
  };
  const all = [
    stream.entryOf("one").append(broken),
    stream.entryOf("two").append(broken),
    stream.entryOf("three").append(answer("three")),
    stream.entryOf("four").append(() => undefined),
  ];
  const ended = Promise.allSettled(all);
  await turns();
  attempts[0]?.outcome.resolve({ revision: 0n, position: "0" });
  const [one, two, three, four] = await ended;
  expect([one, two].map((each) => each?.status)).toEqual(["rejected", "rejected"]);
  expect([three, four]).toEqual([
    { status: "fulfilled", value: true },
    { status: "fulfilled", value: false },
  ]);
});
