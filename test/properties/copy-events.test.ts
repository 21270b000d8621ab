import { createHash } from "node:crypto";
import { type EventLog, FetchImageError, type JsonObject, type NewFact } from "@fetch-image/core";
import { copyEvents } from "@fetch-image/store/copy";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { seedFromEnv } from "./seed.ts";

interface Written {
  readonly stream: string;
  readonly facts: readonly { readonly data: JsonObject; readonly metadata: JsonObject }[];
}

/** What becomes of an append: it is stored, or the copy dies before or after. */
type Fate = "stored" | "killed before" | "killed after";

const anyObject = fc
  .dictionary(fc.string(), fc.jsonValue())
  .map((value): JsonObject => JSON.parse(JSON.stringify(value)));
const histories: fc.Arbitrary<Written[]> = fc.array(
  fc.record({
    stream: fc.constantFrom("build-1", "build-2", "imageScope-a", "imageScope-b", "buildNumbers"),
    facts: fc.array(fc.record({ data: anyObject, metadata: anyObject }), { minLength: 1, maxLength: 4 }),
  }),
  { maxLength: 30 },
);
const fates: fc.Arbitrary<Fate[]> = fc.array(
  fc.constantFrom<Fate[]>("stored", "stored", "killed before", "killed after"),
  { maxLength: 40 },
);

test("wherever and however often it is killed, a copy ends as the source, and was a beginning of it all along", async () => {
  await fc.assert(
    fc.asyncProperty(histories, fates, async (history, fate) => {
      const [from, to] = [createMemoryEventLog(), createMemoryEventLog()];
      for (const [no, { stream, facts }] of history.entries()) {
        const [last] = await from.read(stream, { direction: "backwards", limit: 1 });
        await from.append(
          stream,
          last?.revision ?? "no-stream",
          facts.map((fact, index) => ({ ...fact, ...name(no, index) })),
        );
      }
      const whole = await allOf(from);
      const left = [...fate];
      for (;;) {
        const done = await copyEvents({ from, to: fateful(to, left), patienceMs: 0 }).catch(onlyExpected);
        const there = await allOf(to);
        expect(there).toEqual(whole.slice(0, there.length));
        if (done === undefined) continue;
        expect(done.facts).toBe(whole.length);
        expect(there).toEqual(whole);
        return;
      }
    }),
    { seed: seedFromEnv(), numRuns: 150 },
  );
});

function fateful(log: EventLog, fates: Fate[]): EventLog {
  return {
    append: async (...append) => {
      const fate = fates.shift() ?? "stored";
      if (fate === "killed before") throw new FetchImageError("FI_STORE_UNAVAILABLE");
      const appended = await log.append(...append);
      if (fate === "killed after") throw new FetchImageError("FI_APPEND_OUTCOME_UNKNOWN");
      return appended;
    },
    read: (...read) => log.read(...read),
    readAll: (options) => log.readAll(options),
    subscribe: (options) => log.subscribe(options),
    close: () => log.close(),
  };
}

function onlyExpected(error: unknown): undefined {
  if (FetchImageError.is(error) && error.retryable) return undefined;
  throw error;
}

function name(...words: readonly number[]): Pick<NewFact, "id" | "type"> {
  const hex = createHash("sha256").update(words.join("/")).digest("hex");
  const id = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
  return { id, type: "Any" };
}

async function allOf(log: EventLog) {
  const { facts } = await log.readAll({ limit: 10_000 });
  return facts.map(({ position: _position, ...rest }) => rest);
}
