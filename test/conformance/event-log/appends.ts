import type { EventLog, ExpectedRevision } from "@fetch-image/core";
import { expect } from "vitest";
import { aFact, codeOf, errorOf, given, idsOf, someFacts } from "../facts.ts";
import type { Check, Differences } from "../under-test.ts";

const stream = "build-1";

/** Guarantees 1 to 3 and 6 of the port: whole appends, at the expected revision, repeatable, ids once. */
export function appendContract(check: Check<EventLog>, { takesKnownIds = false }: Differences): void {
  for (const standing of [0, 1, 3]) {
    for (const expected of ["no-stream", 0n, 1n, 2n, 3n, 4n, 2n ** 80n] as const) {
      const fits = expected === "no-stream" ? standing === 0 : expected === BigInt(standing - 1);
      const state = standing === 0 ? "an absent stream" : `a stream of ${standing}`;
      const verb = fits ? "is taken" : "is refused, and nothing is stored,";
      check(`an append that expects ${expected} ${verb} on ${state}`, async (eventLog) => {
        const before = await establish(eventLog, standing);
        const facts = someFacts(2);
        const work = eventLog.append(stream, expected, facts);
        if (fits) await expectTaken(eventLog, work, before, facts);
        else await expectRefused(eventLog, work, expected, before);
      });
    }
  }

  check("facts come back as they were given, numbered from 0 without gaps, positions growing", async (eventLog) => {
    const facts = someFacts(5);
    const first = await eventLog.append(stream, "no-stream", facts.slice(0, 2));
    const second = await eventLog.append(stream, 1n, facts.slice(2));
    const stored = await eventLog.read(stream);
    expect(given(stored)).toEqual(facts);
    expect(stored.map(({ revision }) => revision)).toEqual([0n, 1n, 2n, 3n, 4n]);
    expect(stored.map((fact) => fact.stream)).toEqual(Array.from(facts, () => stream));
    expect(first).toEqual({ revision: 1n, position: stored[1]?.position });
    expect(second).toEqual({ revision: 4n, position: stored[4]?.position });
    expect(new Set(stored.map(({ position }) => position)).size).toBe(5);
  });

  check("a repeated append is answered as the first time, and stores nothing", async (eventLog) => {
    const facts = someFacts(3);
    const first = await eventLog.append(stream, "no-stream", facts);
    await eventLog.append(stream, 2n, someFacts(2));
    await eventLog.append("build-2", "no-stream", someFacts(1));
    expect(await eventLog.append(stream, "no-stream", facts)).toEqual(first);
    expect(await eventLog.append(stream, "no-stream", facts)).toEqual(first);
    expect(await eventLog.read(stream)).toHaveLength(5);
  });

  check("a repeated append in the middle of a stream is answered as the first time", async (eventLog) => {
    await eventLog.append(stream, "no-stream", someFacts(2));
    const facts = someFacts(2);
    const first = await eventLog.append(stream, 1n, facts);
    await eventLog.append(stream, 3n, someFacts(2));
    expect(await eventLog.append(stream, 1n, facts)).toEqual(first);
  });

  check("a prefix of what was appended is answered with the prefix's own end", async (eventLog) => {
    const facts = someFacts(3);
    await eventLog.append(stream, "no-stream", facts);
    const [, second] = await eventLog.read(stream);
    expect(await eventLog.append(stream, "no-stream", facts.slice(0, 2))).toEqual({
      revision: 1n,
      position: second?.position,
    });
  });

  check("a repetition whose later id differs is refused", async (eventLog) => {
    const facts = someFacts(3);
    await eventLog.append(stream, "no-stream", facts);
    const altered = [...facts.slice(0, 2), aFact()];
    await expectRefused(eventLog, eventLog.append(stream, "no-stream", altered), "no-stream", idsOf(facts));
  });

  check("a repetition in another order is refused", async (eventLog) => {
    const facts = someFacts(2);
    await eventLog.append(stream, "no-stream", facts);
    await expectRefused(eventLog, eventLog.append(stream, "no-stream", facts.toReversed()), "no-stream", idsOf(facts));
  });

  check("a repetition that has more facts than were stored is refused", async (eventLog) => {
    const facts = someFacts(2);
    await eventLog.append(stream, "no-stream", facts);
    const longer = eventLog.append(stream, "no-stream", [...facts, aFact()]);
    await expectRefused(eventLog, longer, "no-stream", idsOf(facts));
  });

  if (takesKnownIds) knownIdsTaken(check);
  else knownIdsRefused(check);

  check("an append without facts, and one that has an id twice, is refused", async (eventLog) => {
    const fact = aFact();
    expect(await codeOf(eventLog.append(stream, "no-stream", []))).toBe("FI_APPEND_INVALID");
    expect(await codeOf(eventLog.append(stream, "no-stream", [fact, fact]))).toBe("FI_APPEND_INVALID");
    expect(await eventLog.read(stream)).toEqual([]);
  });

  check("names that no store can hold are refused", async (eventLog) => {
    const work = [
      eventLog.append("", "no-stream", [aFact()]),
      eventLog.append("build-\0", "no-stream", [aFact()]),
      eventLog.append("build-\ud800", "no-stream", [aFact()]),
      eventLog.append("x".repeat(1025), "no-stream", [aFact()]),
      eventLog.append(stream, "no-stream", [aFact({}, "")]),
      eventLog.append(stream, "no-stream", [aFact({}, "Image\0Check")]),
      eventLog.append(stream, "no-stream", [{ ...aFact(), id: "1" }]),
      eventLog.append(stream, "no-stream", [{ ...aFact(), id: aFact().id.toUpperCase() }]),
      eventLog.append(stream, -1n, [aFact()]),
    ];
    for (const append of work) expect(await codeOf(append)).toBe("FI_APPEND_INVALID");
    expect((await eventLog.readAll({ limit: 10 })).facts).toEqual([]);
  });

  check("the longest names are taken, in any script", async (eventLog) => {
    const long = "é".repeat(512);
    await eventLog.append(long, "no-stream", [aFact({}, "型".repeat(300))]);
    expect((await eventLog.read(long))[0]?.type).toBe("型".repeat(300));
  });

  check("after close everything is refused, and nothing hangs", async (eventLog) => {
    await eventLog.close();
    await eventLog.close();
    expect(await codeOf(eventLog.append(stream, "no-stream", [aFact()]))).toBe("FI_STORE_UNAVAILABLE");
    expect(await codeOf(eventLog.read(stream))).toBe("FI_STORE_UNAVAILABLE");
    expect(await codeOf(eventLog.readAll({ limit: 1 }))).toBe("FI_STORE_UNAVAILABLE");
  });

  check("appends under way when it is closed are answered", async (eventLog) => {
    const work = Array.from({ length: 20 }, (_, n) => eventLog.append(`build-${n}`, "no-stream", someFacts(1)));
    await eventLog.close();
    expect((await Promise.all(work)).map(({ revision }) => revision)).toEqual(Array.from(work, () => 0n));
  });
}

function knownIdsRefused(check: Check<EventLog>): void {
  check("an id of another stream is refused, whatever else the append holds", async (eventLog) => {
    const [known] = someFacts(1);
    if (known === undefined) throw new Error("no fact");
    await eventLog.append("build-2", "no-stream", [known]);
    const error = await errorOf(eventLog.append(stream, "no-stream", [aFact(), known]));
    expect(error?.code).toBe("FI_APPEND_INVALID");
    expect(error?.message).toContain(known.id);
    expect(await eventLog.read(stream)).toEqual([]);
  });

  check("an id that stands earlier in the same stream is refused", async (eventLog) => {
    const facts = someFacts(2);
    await eventLog.append(stream, "no-stream", facts);
    expect(await codeOf(eventLog.append(stream, 1n, facts.slice(0, 1)))).toBe("FI_APPEND_INVALID");
    expect(await eventLog.read(stream)).toHaveLength(2);
  });
}

function knownIdsTaken(check: Check<EventLog>): void {
  check("an id of another stream is no repetition: the fact is stored in both", async (eventLog) => {
    const [known] = someFacts(1);
    if (known === undefined) throw new Error("no fact");
    await eventLog.append("build-2", "no-stream", [known]);
    await eventLog.append(stream, "no-stream", [aFact(), known]);
    expect((await eventLog.read(stream))[1]?.id).toBe(known.id);
    expect(idsOf(await eventLog.read("build-2"))).toEqual([known.id]);
  });

  check("an id that stands earlier in the same stream is no repetition: the fact is stored again", async (eventLog) => {
    const facts = someFacts(2);
    await eventLog.append(stream, "no-stream", facts);
    await eventLog.append(stream, 1n, facts.slice(0, 1));
    expect(idsOf(await eventLog.read(stream))).toEqual([...idsOf(facts), facts[0]?.id]);
  });
}

async function establish(eventLog: EventLog, count: number): Promise<readonly string[]> {
  const facts = someFacts(count);
  if (count > 0) await eventLog.append(stream, "no-stream", facts);
  return idsOf(facts);
}

async function expectTaken(
  eventLog: EventLog,
  work: ReturnType<EventLog["append"]>,
  before: readonly string[],
  facts: readonly { readonly id: string }[],
): Promise<void> {
  const appended = await work;
  const stored = await eventLog.read(stream);
  expect(idsOf(stored)).toEqual([...before, ...idsOf(facts)]);
  expect(appended).toEqual({ revision: BigInt(stored.length) - 1n, position: stored.at(-1)?.position });
}

async function expectRefused(
  eventLog: EventLog,
  work: Promise<unknown>,
  expected: ExpectedRevision,
  before: readonly string[],
): Promise<void> {
  const error = await errorOf(work);
  expect(error?.code).toBe("FI_WRONG_EXPECTED_REVISION");
  expect(error?.details).toEqual({
    stream,
    expected: String(expected),
    actual: before.length === 0 ? "no-stream" : String(before.length - 1),
  });
  expect(idsOf(await eventLog.read(stream))).toEqual(before);
}
