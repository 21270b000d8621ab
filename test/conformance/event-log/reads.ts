import type { EventFilter, EventLog, Position, RecordedFact } from "@fetch-image/core";
import { expect } from "vitest";
import { aFact, codeOf, idsOf, someFacts } from "../facts.ts";
import type { Check } from "../under-test.ts";

const stream = "build-1";

/** Reading one stream, and reading all of them by pages. */
export function readContract(check: Check<EventLog>): void {
  check("a stream that does not exist reads as empty, in both directions", async (eventLog) => {
    expect(await eventLog.read(stream)).toEqual([]);
    expect(await eventLog.read(stream, { direction: "backwards" })).toEqual([]);
    expect(await eventLog.read(stream, { from: 3n, limit: 2 })).toEqual([]);
  });

  check("a stream is read from any revision, in both directions, up to any limit", async (eventLog) => {
    await eventLog.append(stream, "no-stream", someFacts(5));
    const all = [0n, 1n, 2n, 3n, 4n];
    for (const from of [undefined, 0n, 2n, 4n, 5n, 2n ** 80n]) {
      for (const limit of [undefined, 0, 1, 3, 100]) {
        const options = { ...(from === undefined ? {} : { from }), ...(limit === undefined ? {} : { limit }) };
        const forwards = await eventLog.read(stream, options);
        const backwards = await eventLog.read(stream, { ...options, direction: "backwards" });
        expect(forwards.map(({ revision }) => revision)).toEqual(
          all.filter((revision) => revision >= (from ?? 0n)).slice(0, limit ?? 5),
        );
        expect(backwards.map(({ revision }) => revision)).toEqual(
          all
            .filter((revision) => revision <= (from ?? 4n))
            .toReversed()
            .slice(0, limit ?? 5),
        );
      }
    }
  });

  check("a stream of any length is read whole, alone and beside others", async (eventLog) => {
    for (const length of [255, 256, 257, 600]) {
      const name = `build-${length}`;
      const facts = someFacts(length);
      await eventLog.append(name, "no-stream", facts);
      expect(idsOf(await eventLog.read(name))).toEqual(idsOf(facts));
      expect(idsOf(await eventLog.read(name, { from: 100n }))).toEqual(idsOf(facts.slice(100)));
    }
    const [long, longer] = await Promise.all([eventLog.read("build-257"), eventLog.read("build-600")]);
    expect([long?.length, longer?.length]).toEqual([257, 600]);
  });

  check("streams that are read at the same time each give their own, from where each was asked", async (eventLog) => {
    const streams = Array.from({ length: 20 }, (_, index) => `build-${index}`);
    for (const [index, name] of streams.entries()) await eventLog.append(name, "no-stream", someFacts((index % 3) + 1));
    const asked = [...streams, "build-none", "build-1"].map((name, index) => ({ name, from: BigInt(index % 2) }));
    const read = await Promise.all(asked.map(({ name, from }) => eventLog.read(name, { from })));
    for (const [index, { name, from }] of asked.entries()) {
      const alone = await eventLog.read(name, { from, limit: 10 });
      expect(read[index]).toEqual(alone);
      expect(alone.every((fact) => fact.stream === name)).toBe(true);
    }
    expect(read.map((facts) => facts.length).slice(-2)).toEqual([0, 1]);
  });

  check("a stream's name is taken to the letter", async (eventLog) => {
    for (const name of ["build-1", "Build-1", "build-1 ", "build_1", "build%", "build-1\n"]) {
      await eventLog.append(name, "no-stream", [aFact({ name })]);
    }
    for (const name of ["build-1", "Build-1", "build-1 ", "build_1", "build%", "build-1\n"]) {
      expect((await eventLog.read(name)).map(({ data }) => data["name"])).toEqual([name]);
    }
  });

  check(
    "a name that no stream can have has no facts, and disturbs nobody who reads at the same time",
    async (eventLog) => {
      await eventLog.append(stream, "no-stream", someFacts(2));
      const names = ["build-\0", "\ud800", "", "x".repeat(5000), stream];
      const read = await Promise.all(names.map((name) => eventLog.read(name)));
      expect(read.map(({ length }) => length)).toEqual([0, 0, 0, 0, 2]);
      for (const filter of names.slice(0, -1).map((name) => ({ stream: name }))) {
        expect((await eventLog.readAll({ limit: 10, filter })).facts).toEqual([]);
      }
      const streamPrefixes = ["build-\0", "\ud800", "x".repeat(5000)];
      expect((await eventLog.readAll({ limit: 10, filter: { streamPrefixes } })).facts).toEqual([]);
      expect(
        (await eventLog.readAll({ limit: 10, filter: { streamPrefixes: [...streamPrefixes, ""] } })).facts,
      ).toHaveLength(2);
    },
  );

  check("an empty log is one empty page, its end", async (eventLog) => {
    expect(await eventLog.readAll({ limit: 10 })).toEqual({ facts: [], next: undefined, end: true });
    expect(await eventLog.readAll({ limit: 10, filter: { stream } })).toEqual({
      facts: [],
      next: undefined,
      end: true,
    });
  });

  const filters: { readonly [name: string]: EventFilter | undefined } = {
    everything: undefined,
    "one stream": { stream: "build-2" },
    "a prefix": { streamPrefixes: ["build-"] },
    "two prefixes": { streamPrefixes: ["imageScope-", "build-1"] },
    "no prefix": { streamPrefixes: [] },
    "a stream that is not there": { stream: "build-9" },
    "a prefix that looks like a pattern": { streamPrefixes: ["build_", "%", "imageScope-["] },
  };
  for (const [name, filter] of Object.entries(filters)) {
    check(`${name}: pages of any size give every fact once, in order, and the last one says so`, async (eventLog) => {
      const written = await writeMixed(eventLog);
      const wanted = written.filter((fact) => matches(filter, fact.stream));
      for (const limit of [1, 2, 7, 1000]) {
        expect(idsOf(await readByPages(eventLog, limit, filter))).toEqual(idsOf(wanted));
      }
    });
  }

  check("a page goes on after the position of any fact", async (eventLog) => {
    const written = await writeMixed(eventLog);
    for (const [index, { position }] of written.entries()) {
      const page = await eventLog.readAll({ after: position, limit: 1000 });
      expect(idsOf(page.facts)).toEqual(idsOf(written.slice(index + 1)));
      expect(page.end).toBe(true);
    }
  });

  check("a page at the end gives a position to go on from, filtered or not", async (eventLog) => {
    const written = await writeMixed(eventLog);
    for (const filter of [undefined, { stream: "build-9" }, { streamPrefixes: ["build-1"] }]) {
      const end = await eventLog.readAll({ limit: 1000, ...(filter === undefined ? {} : { filter }) });
      expect(end.end).toBe(true);
      const again = await eventLog.readAll({ ...after(end.next), limit: 10 });
      expect(again.facts.length).toBeLessThanOrEqual(written.length);
      const [fact] = someFacts(1);
      if (fact === undefined || end.next === undefined) throw new Error("no position to go on from");
      const { revision } = (await eventLog.read("build-1")).at(-1) ?? { revision: 0n };
      await eventLog.append("build-1", revision, [fact]);
      expect(idsOf((await eventLog.readAll({ after: end.next, limit: 10 })).facts)).toContain(fact.id);
    }
  });

  check("what readAll gives is what read gives", async (eventLog) => {
    await writeMixed(eventLog);
    const { facts } = await eventLog.readAll({ limit: 1000, filter: { stream: "build-1" } });
    expect(facts).toEqual(await eventLog.read("build-1"));
  });

  check("a position that this log never gave is refused", async (eventLog) => {
    await writeMixed(eventLog);
    for (const position of ["", "-1", "C:12/P:12", "1; drop table events", "9".repeat(40)]) {
      expect(await codeOf(eventLog.readAll({ after: position, limit: 1 }))).toBe("FI_POSITION_INVALID");
    }
  });
}

/** Facts of five streams, in the log's own order. */
async function writeMixed(eventLog: EventLog): Promise<readonly RecordedFact[]> {
  const last = new Map<string, bigint>();
  for (let round = 0; round < 12; round++) {
    const name = ["build-1", "imageScope-a", "build-2", "build-10", "other"][(round * 3) % 5] ?? "other";
    const expected = last.get(name);
    const { revision } = await eventLog.append(name, expected ?? "no-stream", someFacts(1 + (round % 3)));
    last.set(name, revision);
  }
  const streams = await Promise.all([...last.keys()].map((name) => eventLog.read(name)));
  const all = await readByPages(eventLog, 5, undefined);
  expect(idsOf(all).toSorted()).toEqual(idsOf(streams.flat()).toSorted());
  return all;
}

async function readByPages(
  eventLog: EventLog,
  limit: number,
  filter: EventFilter | undefined,
): Promise<readonly RecordedFact[]> {
  const facts: RecordedFact[] = [];
  let position: Position | undefined;
  for (let pages = 0; pages < 1000; pages++) {
    const page = await eventLog.readAll({ ...after(position), limit, ...(filter === undefined ? {} : { filter }) });
    expect(page.facts.length).toBeLessThanOrEqual(limit);
    facts.push(...page.facts);
    if (page.end) return facts;
    expect(page.next).not.toBe(position);
    position = page.next;
  }
  throw new Error("the pages never ended");
}

function matches(filter: EventFilter | undefined, name: string): boolean {
  if (filter === undefined) return true;
  return "stream" in filter ? filter.stream === name : filter.streamPrefixes.some((prefix) => name.startsWith(prefix));
}

function after(position: Position | undefined): { after?: Position } {
  return position === undefined ? {} : { after: position };
}
