import {
  evolveScopeFor,
  FetchImageError,
  formatTime,
  type RecordedFact,
  type RecordedScopeFact,
  type ScopeFact,
  scopeStream,
  silentLogger,
  unknownScope,
} from "@fetch-image/core";
import { expect, test } from "vitest";
import { ScopeStream, type StreamOptions } from "./scope-stream.ts";
import { ScopeWriter } from "./scope-writer.ts";
import { createTicker } from "./ticker.ts";

const scope = "0123456789abcdef0123456789abcdef";
const proofs = ["0123456789abcdef", "fedcba9876543210", null];
const digest = `sha256:${"a".repeat(64)}`;

/** What may be written for one secret. */
function factsOf(proof: string | null): readonly ScopeFact[] {
  const asker = { buildId: `build of ${proof}`, fetchId: "2/image-get" };
  const shown = proof === null ? { asker } : { proof, asker };
  const failure = { code: "FI_REGISTRY_UNREACHABLE", message: "refused", retryable: true } as const;
  const claimed = { scope, type: "registry-image", repository: "r.test/a", source: {}, credential: null, ...shown };
  const where = { host: "r.test", status: 200 };
  return [
    { type: "CheckClaimed", data: { ...claimed, until: formatTime(15_000) } },
    { type: "VersionObserved", data: { version: { digest }, changed: true, via: "HEAD", ...where, ...shown } },
    { type: "VersionVanished", data: { ...where, ...shown } },
    { type: "CheckFailed", data: { failure, ...shown } },
  ];
}

const limit: ScopeFact = { type: "RateLimitObserved", data: { host: "r.test", remaining: 7 } };
const alphabet = [...proofs.flatMap(factsOf), limit];

/** Facts as they stand in the scope's stream, a second apart. */
function recorded(facts: readonly ScopeFact[]): RecordedScopeFact[] {
  return facts.map((fact, index) => {
    const metadata = { schema: 1, node: "node-a", time: formatTime(index * 1000), $correlationId: "1" };
    const stored = { id: `${index}`, stream: scopeStream(scope), revision: BigInt(index), position: "", metadata };
    return { ...fact, ...stored };
  });
}

/** A stream over a store that holds these facts. */
function streamOf(facts: readonly RecordedScopeFact[]): ScopeStream {
  let numbers = 0;
  const options: StreamOptions = {
    eventLog: {
      append: () => Promise.reject(new FetchImageError("FI_STORE_UNAVAILABLE")),
      read: async (_stream, { from = 0n } = {}) =>
        facts.filter(({ revision }) => revision >= from) as unknown as RecordedFact[],
      readAll: async () => ({ facts: [], next: undefined, end: true }),
      subscribe: () => ({ [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) }),
      close: async () => {},
    },
    clock: { now: () => 0, after: () => () => {} },
    hash: { sha1Hex: () => "", sha256Hex: () => "" },
    ticker: createTicker(),
    logger: silentLogger,
    node: "node-a",
    nextNumber: () => numbers++,
    storePatienceMs: 1000,
  };
  return new ScopeStream(scope, { ...options, writer: new ScopeWriter(options), onMet: () => {}, onKept: () => {} });
}

test("read once, it is for each secret what it would be if it were read for that one alone: all streams of three facts", () => {
  for (const first of alphabet) {
    for (const second of alphabet) {
      for (const third of alphabet) {
        const facts = recorded([first, second, third]);
        const stream = streamOf([]);
        for (const fact of facts) stream.fold(fact);
        for (const proof of proofs) {
          const alone = facts.reduce((state, fact) => evolveScopeFor(proof, state, fact), unknownScope);
          expect(stream.entryOf(proof).state).toEqual(alone);
        }
      }
    }
  }
});

test("what was folded already is not folded again by a reading that comes late", async () => {
  const facts = recorded(factsOf(null));
  const stream = streamOf(facts);
  for (const fact of facts) stream.fold(fact);
  const { state } = stream.entryOf(null);
  await stream.readOn();
  for (const fact of facts) stream.fold(fact);
  expect(stream.entryOf(null).state).toBe(state);
});

test("keeps what somebody waits for, however many secrets come after", () => {
  const stream = streamOf([]);
  const entry = stream.entryOf("awaited");
  entry.followers++;
  for (let other = 0; other < 3000; other++) stream.entryOf(`other ${other}`);
  expect(stream.find("awaited")).toBe(entry);
  expect([stream.find("other 0"), stream.find("other 2999")?.followers]).toEqual([undefined, 0]);
});
