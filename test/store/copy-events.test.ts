import { type EventLog, FetchImageError, type NewFact, type RecordedFact } from "@fetch-image/core";
import { copyEvents } from "@fetch-image/store/copy";
import { createMemoryEventLog, createMemoryReadModel } from "@fetch-image/store/memory";
import { createPostgresEventLog } from "@fetch-image/store/postgres";
import { describe, expect, test } from "vitest";
import { aFact, errorOf } from "../conformance/facts.ts";
import { sharedEmbedded } from "../conformance/shared-embedded.ts";
import { sharedEventStoreDb } from "../conformance/shared-eventstoredb.ts";
import { sharedPostgres } from "../conformance/shared-postgres.ts";
import { startEventStoreDbPeer } from "../support/eventstoredb-peer/index.ts";
import { postgresMissing } from "../support/postgres.ts";

const postgres = sharedPostgres();
const embedded = sharedEmbedded();
const eventStoreDb = sharedEventStoreDb(async () => {
  const peer = await startEventStoreDbPeer();
  return { url: peer.url, clear: () => peer.log.clear(), stop: async () => peer.node.kill() };
});

describe("copying every fact of one event log into another", () => {
  const kinds: { readonly [kind: string]: () => Promise<EventLog> } = {
    memory: async () => createMemoryEventLog(),
    Postgres: async () => createPostgresEventLog(await postgres.empty()),
    "the embedded store": async () => createPostgresEventLog(await embedded.empty()),
    EventStoreDB: () => eventStoreDb.empty(),
  };
  const pairs = Object.keys(kinds).flatMap((from) => Object.keys(kinds).map((to) => [from, to] as const));

  test.for(pairs.filter(([from, to]) => from !== to))(
    "from %s to %s: order, revisions, ids, data and metadata stay, stopped twice in between",
    async ([fromKind, toKind], { skip }) => {
      if (`${fromKind}${toKind}`.includes("Postgres") && postgresMissing() !== undefined) skip(postgresMissing());
      const [from, to] = [await open(fromKind), await open(toKind)];
      await fill(from);

      expect(await errorOf(copyEvents({ from, to: failingAfter(to, 1), patienceMs: 0 }))).toBeDefined();
      expect(await errorOf(copyEvents({ from, to: failingAfter(to, 3), patienceMs: 0 }))).toBeDefined();
      const begun = await all(to);
      expect(begun.length).toBeLessThan(factCount);
      const first = await copyEvents({ from, to });
      expect(first).toMatchObject({ facts: factCount, streams: 4, copied: factCount - begun.length });
      expect(await all(to)).toEqual(await all(from));
      expect((await to.read("imageScope-1")).map(({ revision }) => revision)).toEqual([0n, 1n, 2n]);

      const again = await copyEvents({ from, to });
      expect(again).toEqual({ ...first, copied: 0 });
      await from.append("build-2", 0n, [aFact({ later: true })]);
      expect(await copyEvents({ from, to })).toMatchObject({ facts: factCount + 1, copied: 1 });
      expect(await all(to)).toEqual(await all(from));
      await from.close();
      await to.close();
    },
  );

  function open(kind: string): Promise<EventLog> {
    const make = kinds[kind];
    if (make === undefined) throw new Error(kind);
    return make();
  }
});

describe("a target that holds other facts is refused, and named is the first of them", () => {
  const other = aFact({ other: true });
  const cases: readonly (readonly [
    string,
    (to: EventLog, from: readonly RecordedFact[]) => Promise<unknown>,
    RegExp,
  ])[] = [
    [
      "another stream",
      (to) => to.append("build-9", "no-stream", [other]),
      /stream build-9, revision 0 .* stands where/,
    ],
    [
      "another id",
      (to) => to.append("build-1", "no-stream", [other]),
      new RegExp(`stream build-1, revision 0 .*id ${other.id}.* the source has stream build-1, revision 0`),
    ],
    [
      "the same id with other data",
      (to, [first]) => to.append("build-1", "no-stream", [{ ...fact(first), data: { no: 2 } }]),
      /stream build-1, revision 0 .* has other data/,
    ],
    [
      "the same id with other metadata",
      (to, [first]) => to.append("build-1", "no-stream", [{ ...fact(first), metadata: {} }]),
      /has other metadata/,
    ],
    [
      "the same id with another type",
      (to, [first]) => to.append("build-1", "no-stream", [{ ...fact(first), type: "Other" }]),
      /is of type ImageCheck in the source/,
    ],
    [
      "more than the source",
      async (to, facts) => {
        const source = createMemoryEventLog();
        for (const each of facts) await source.append(each.stream, expected(each), [each]);
        await copyEvents({ from: source, to });
        await to.append("build-77", "no-stream", [other]);
      },
      /stream build-77, revision 0 .* stands where the source has no more facts/,
    ],
  ];

  test.for(cases)("%s", async ([, write, message]) => {
    const [from, to] = [createMemoryEventLog(), createMemoryEventLog()];
    await fill(from);
    await write(to, await from.readAll({ limit: 100 }).then(({ facts }) => facts));
    const before = await all(to);
    const error = await errorOf(copyEvents({ from, to }));
    expect(error?.code).toBe("FI_STORES_DIFFER");
    expect(error?.message).toMatch(message);
    expect(error?.details["stream"]).toBeDefined();
    expect(await all(to)).toEqual(before);
  });

  test("and so is one that somebody else writes to meanwhile", async () => {
    const [from, to] = [createMemoryEventLog(), createMemoryEventLog()];
    await fill(from);
    let appends = 0;
    const meddled: EventLog = {
      ...bound(to),
      async append(stream, at, facts) {
        if (++appends === 3) await to.append(stream, at, [other]);
        return to.append(stream, at, facts);
      },
    };
    expect((await errorOf(copyEvents({ from, to: meddled })))?.code).toBe("FI_STORES_DIFFER");
  });
});

describe("copying", () => {
  test("two at the same time copy each fact once", async () => {
    const [from, to] = [createMemoryEventLog(), createMemoryEventLog()];
    await fill(from);
    const [one, two] = await Promise.all([copyEvents({ from, to }), copyEvents({ from, to })]);
    expect([one.facts, two.facts, one.digest]).toEqual([factCount, factCount, two.digest]);
    expect(await all(to)).toEqual(await all(from));
  });

  test("goes on when answers are lost after the write, and stores nothing twice", async ({ skip }) => {
    if (postgresMissing() !== undefined) skip(postgresMissing());
    const from = createMemoryEventLog();
    await fill(from);
    const to = createPostgresEventLog(await postgres.empty());
    expect(await copyEvents({ from, to: losingEveryAnswer(to) })).toMatchObject({
      facts: factCount,
      copied: factCount,
    });
    expect(await all(to)).toEqual(await all(from));
    await to.close();
  });

  test("is told by the signal to stop, and says how to go on", async () => {
    const [from, to] = [createMemoryEventLog(), createMemoryEventLog()];
    await fill(from);
    const controller = new AbortController();
    const onProgress = ({ copied }: { readonly copied: number }) => void (copied > 0 && controller.abort());
    const error = await errorOf(copyEvents({ from, to, signal: controller.signal, onProgress }));
    expect(error).toMatchObject({ code: "FI_ABORTED", hint: expect.stringContaining("goes on") });
    expect(await copyEvents({ from, to })).toMatchObject({ facts: factCount });
  });

  test("nothing gives nothing", async () => {
    const summary = await copyEvents({ from: createMemoryEventLog(), to: createMemoryEventLog() });
    expect(summary).toMatchObject({ facts: 0, streams: 0, copied: 0, readModelEmptied: false });
  });

  test("empties a read model that was projected from another log, and leaves one of this log alone", async () => {
    const [from, to, readModel] = [createMemoryEventLog(), createMemoryEventLog(), createMemoryReadModel()];
    await fill(from);
    const changes = { builds: [], images: [], scopes: [], versions: [], observations: [] };
    await readModel.apply(changes, { from: undefined, to: "17" });
    expect(await copyEvents({ from, to, readModel })).toMatchObject({ readModelEmptied: true });
    expect(await readModel.checkpoint()).toBeUndefined();

    await readModel.apply(changes, { from: undefined, to: "3" });
    expect(await copyEvents({ from, to, readModel })).toMatchObject({ readModelEmptied: false });
    expect(await readModel.checkpoint()).toBe("3");
    await readModel.reset();
    await readModel.apply(changes, { from: undefined, to: "esdb:17" });
    expect(await copyEvents({ from, to, readModel })).toMatchObject({ readModelEmptied: true });
  });
});

const factCount = 10;

/** Streams between each other, an append of several facts, keys that JSON orders in its own way, every kind of text. */
async function fill(log: EventLog): Promise<void> {
  await log.append("build-1", "no-stream", [aFact({ no: 1 }), aFact({ z: 1, a: { "2": 0, "1": 0 }, n: [1e21, -1.5] })]);
  await log.append("imageScope-1", "no-stream", [aFact({ text: "\0 \u2028 é 😀 \\u0000" })]);
  await log.append("build-1", 1n, [aFact({ no: 3 })]);
  await log.append("buildNumbers", "no-stream", [aFact()]);
  await log.append("imageScope-1", 0n, [aFact({ large: "x".repeat(300_000) }), aFact({ large: "é".repeat(150_000) })]);
  await log.append("build-1", 2n, [aFact({ large: "y".repeat(400_000) })]);
  await log.append("build-2", "no-stream", [aFact()]);
  await log.append("build-1", 3n, [aFact()]);
}

async function all(log: EventLog): Promise<readonly Omit<RecordedFact, "position">[]> {
  const { facts } = await log.readAll({ limit: 1000 });
  return facts.map(({ position: _position, ...rest }) => rest);
}

/** Stores as often as that, then is away: what a killed copy has done. */
function failingAfter(log: EventLog, appends: number): EventLog {
  let left = appends;
  return {
    ...bound(log),
    append: async (...append) => {
      if (left-- <= 0) throw new FetchImageError("FI_STORE_UNAVAILABLE");
      return log.append(...append);
    },
  };
}

function losingEveryAnswer(log: EventLog & { appendInOrder?: unknown }): EventLog {
  let calls = 0;
  const { appendInOrder } = log;
  if (typeof appendInOrder !== "function") throw new Error("not a log that stores in order");
  const lost = async <T>(work: Promise<T>): Promise<T> => {
    const outcome = await work;
    if (++calls % 2 === 1) throw new FetchImageError("FI_APPEND_OUTCOME_UNKNOWN");
    return outcome;
  };
  return Object.assign(bound(log), {
    append: (...append: Parameters<EventLog["append"]>) => lost(log.append(...append)),
    appendInOrder: (facts: unknown) => lost<unknown>(appendInOrder.call(log, facts)),
  });
}

function bound(log: EventLog): EventLog {
  return {
    append: (...append) => log.append(...append),
    read: (...read) => log.read(...read),
    readAll: (options) => log.readAll(options),
    subscribe: (options) => log.subscribe(options),
    close: () => log.close(),
  };
}

function fact(recorded: RecordedFact | undefined): NewFact {
  if (recorded === undefined) throw new Error("there is no fact");
  const { id, type, data, metadata } = recorded;
  return { id, type, data, metadata };
}

function expected({ revision }: RecordedFact): "no-stream" | bigint {
  return revision === 0n ? "no-stream" : revision - 1n;
}
