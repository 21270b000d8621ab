import type { EventLog, ExpectedRevision } from "@fetch-image/core";
import { expect } from "vitest";
import { aFact, codeOf, idsOf, namedFact, someFacts } from "../facts.ts";
import { follow } from "../follower.ts";
import type { Check, Differences } from "../under-test.ts";

/** Many writers at once, on one stream and on many. */
export function concurrencyContract(check: Check<EventLog>, { takesKnownIds = false }: Differences): void {
  check("of many writers that expect the same revision, one is taken", async (eventLog) => {
    await eventLog.append("build-1", "no-stream", someFacts(1));
    const writers = Array.from({ length: 30 }, (_, writer) => namedFact("writer", writer));
    const codes = await Promise.all(writers.map((fact) => codeOf(eventLog.append("build-1", 0n, [fact]))));
    expect(codes.filter((code) => code === "fulfilled")).toHaveLength(1);
    expect(codes.filter((code) => code === "FI_WRONG_EXPECTED_REVISION")).toHaveLength(29);
    const winner = writers[codes.indexOf("fulfilled")];
    expect(idsOf(await eventLog.read("build-1")).slice(1)).toEqual([winner?.id]);
  });

  check("writers that read again and retry all get in, each once, revisions without gaps", async (eventLog) => {
    const writers = 8;
    const each = 6;
    await Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        for (let turn = 0; turn < each; turn++) await insist(eventLog, "imageScope-a", [namedFact(writer, turn)]);
      }),
    );
    const stored = await eventLog.read("imageScope-a");
    expect(stored.map(({ revision }) => revision)).toEqual(stored.map((_, index) => BigInt(index)));
    expect(new Set(idsOf(stored)).size).toBe(writers * each);
    expect(stored).toHaveLength(writers * each);
  });

  check("writers of different streams do not disturb each other, whoever of them is refused", async (eventLog) => {
    await eventLog.append("build-0", "no-stream", someFacts(1));
    const known = (await eventLog.read("build-0"))[0]?.id ?? "";
    const codes = await Promise.all(
      Array.from({ length: 300 }, (_, n) => {
        const name = `build-${n + 1}`;
        if (n % 10 === 3) return codeOf(eventLog.append(name, 7n, someFacts(2)));
        if (n % 10 === 6) return codeOf(eventLog.append(name, "no-stream", [aFact(), { ...aFact(), id: known }]));
        if (n % 10 === 9) return codeOf(eventLog.append(name, "no-stream", []));
        return codeOf(eventLog.append(name, "no-stream", someFacts(1 + (n % 3))));
      }),
    );
    for (const [n, code] of codes.entries()) {
      const known = takesKnownIds ? undefined : "FI_APPEND_INVALID";
      const refused = { 3: "FI_WRONG_EXPECTED_REVISION", 6: known, 9: "FI_APPEND_INVALID" }[n % 10];
      expect(code).toBe(refused ?? "fulfilled");
      const stored = n % 10 === 6 ? 2 : 1 + (n % 3);
      expect(await eventLog.read(`build-${n + 1}`)).toHaveLength(refused === undefined ? stored : 0);
    }
  });

  check("appends to one stream in one turn are taken in the order they were given", async (eventLog) => {
    const work = Array.from({ length: 40 }, (_, n) =>
      eventLog.append("build-1", n === 0 ? "no-stream" : BigInt(n) - 1n, [namedFact(n)]),
    );
    await Promise.all(work);
    expect(idsOf(await eventLog.read("build-1"))).toEqual(Array.from(work, (_, n) => namedFact(n).id));
  });

  check("the same append given twice in one turn is stored once, and both are answered alike", async (eventLog) => {
    const facts = someFacts(2);
    const [first, second] = await Promise.all([
      eventLog.append("build-1", "no-stream", facts),
      eventLog.append("build-1", "no-stream", facts),
    ]);
    expect(second).toEqual(first);
    expect(await eventLog.read("build-1")).toHaveLength(2);
  });

  const placed = takesKnownIds ? "both" : "one";
  check(`an id given to two streams in one turn is stored in ${placed} of them`, async (eventLog) => {
    const fact = aFact();
    const codes = await Promise.all(["a", "b"].map((name) => codeOf(eventLog.append(name, "no-stream", [fact]))));
    expect(codes.toSorted()).toEqual([takesKnownIds ? "fulfilled" : "FI_APPEND_INVALID", "fulfilled"]);
    expect((await eventLog.readAll({ limit: 10 })).facts).toHaveLength(takesKnownIds ? 2 : 1);
  });

  check("what was acknowledged is there for the next read, while others go on writing", async (eventLog) => {
    await Promise.all(
      Array.from({ length: 12 }, async (_, writer) => {
        let expected: ExpectedRevision = "no-stream";
        for (let turn = 0; turn < 12; turn++) {
          const { revision, position } = await eventLog.append(`build-${writer}`, expected, someFacts(1));
          const [last] = await eventLog.read(`build-${writer}`, { direction: "backwards", limit: 1 });
          expect([last?.revision, last?.position]).toEqual([revision, position]);
          expected = revision;
        }
      }),
    );
  });

  check("a reader that follows many writers gets every fact once, each stream in its order", async (eventLog) => {
    const follower = follow(eventLog);
    const writers = 16;
    const each = 20;
    await Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        let expected: ExpectedRevision = "no-stream";
        for (let turn = 0; turn < each; turn++) {
          expected = (await eventLog.append(`build-${writer}`, expected, [namedFact(writer, turn)])).revision;
        }
      }),
    );
    await follower.reached(writers * each);
    await follower.stop();
    expect(follower.facts).toHaveLength(writers * each);
    for (let writer = 0; writer < writers; writer++) {
      const own = follower.facts.filter(({ stream }) => stream === `build-${writer}`);
      expect(idsOf(own)).toEqual(Array.from({ length: each }, (_, turn) => namedFact(writer, turn).id));
    }
    expect(idsOf((await eventLog.readAll({ limit: 1000 })).facts)).toEqual(idsOf(follower.facts));
  });
}

/** Appends as the engine does to a scope: on conflict it reads again and retries. */
async function insist(eventLog: EventLog, name: string, facts: Parameters<EventLog["append"]>[2]): Promise<void> {
  for (let attempts = 0; attempts < 1000; attempts++) {
    const [last] = await eventLog.read(name, { direction: "backwards", limit: 1 });
    if ((await codeOf(eventLog.append(name, last?.revision ?? "no-stream", facts))) === "fulfilled") return;
  }
  throw new Error("never got in");
}
