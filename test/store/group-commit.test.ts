import { createPostgresEventLog, createPostgresSql, type Sql } from "@fetch-image/store/postgres";
import type { EventLog } from "@fetch-image/core";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { aFact, codeOf, someFacts } from "../conformance/facts.ts";
import { emptySchema } from "../conformance/empty-schema.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../support/postgres.ts";

const missing = postgresMissing();
let server: Promise<TestPostgres> | undefined;
let sql: Sql;
let schema: string;
let statements: string[];
let eventLog: EventLog;
beforeEach(async ({ skip }) => {
  if (missing !== undefined) skip(missing);
  server ??= startPostgres();
  const real = createPostgresSql({ connectionString: (await server).url });
  ({ schema } = await emptySchema(real));
  statements = [];
  sql = real;
  // Notes each statement, and how often it was sent.
  const noting: Sql = {
    name: real.name,
    query: (text, parameters, options) => {
      statements.push(text);
      return real.query(text, parameters, options);
    },
    script: (text) => real.script(text),
    transaction: (work) => real.transaction(work),
    listen: (channel, heard) => real.listen(channel, heard),
    close: () => real.close(),
  };
  eventLog = createPostgresEventLog({ sql: noting, schema });
  await eventLog.read("warm");
  statements.length = 0;
});
afterEach(async () => {
  if (missing !== undefined) return;
  await eventLog.close();
  await sql.close();
});
afterAll(async () => (await server)?.stop());

/** How many facts each transaction stored, in order. */
async function transactions(): Promise<number[]> {
  const { rows } = await sql.query(
    `select count(*)::int4 as facts from ${schema}.events group by xmin::text order by min(position)`,
  );
  return rows.map((row) => Number(row["facts"]));
}

test.each([
  { appends: 16, stored: [32] },
  // One half is stored while this thread does what the other has led to.
  { appends: 60, stored: [60, 60] },
])(
  "$appends appends of one turn, of two facts each, are as few transactions, and statements, as $stored",
  async ({ appends, stored }) => {
    const work = Array.from({ length: appends }, (_, n) => eventLog.append(`build-${n}`, "no-stream", someFacts(2)));
    await Promise.all(work);
    expect(await transactions()).toEqual(stored);
    expect(statements).toHaveLength(stored.length);
  },
);

test("an append that is alone is one plain statement", async () => {
  await eventLog.append("build-1", "no-stream", someFacts(3));
  await eventLog.append("build-1", 2n, someFacts(1));
  expect(statements).toHaveLength(2);
  expect(new Set(statements)).toEqual(new Set([expect.stringMatching(/^insert into/)]));
  expect(await transactions()).toEqual([3, 1]);
});

test("what comes while a batch is in flight makes the next one", async () => {
  const work: Promise<unknown>[] = [];
  for (let turn = 0; turn < 20; turn++) {
    for (let n = 0; n < 5; n++) work.push(eventLog.append(`build-${turn}-${n}`, "no-stream", someFacts(1)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(work);
  const sizes = await transactions();
  expect(sizes.reduce((sum, size) => sum + size)).toBe(100);
  expect(sizes.length).toBeLessThan(20);
  expect(statements).toHaveLength(sizes.length);
});

test("what is appended in answer to the same batch goes together again", async () => {
  const streams = Array.from({ length: 10 }, (_, n) => `build-${n}`);
  await Promise.all(
    streams.map(async (stream) => {
      await eventLog.append(stream, "no-stream", someFacts(1));
      // Some write again at once, some after a few more steps of their own.
      for (let steps = Number(stream.slice(6)); steps > 0; steps--) await Promise.resolve();
      await eventLog.append(stream, 0n, someFacts(1));
    }),
  );
  expect(await transactions()).toEqual([10, 10]);
});

test("a batch holds at most 128 appends", async () => {
  await Promise.all(Array.from({ length: 300 }, (_, n) => eventLog.append(`build-${n}`, "no-stream", someFacts(1))));
  expect(await transactions()).toEqual([128, 128, 44]);
});

test("a batch holds no more than a few large appends", async () => {
  const text = "x".repeat(3 * 1024 * 1024);
  const work = Array.from({ length: 5 }, (_, n) => eventLog.append(`build-${n}`, "no-stream", [aFact({ text })]));
  await Promise.all(work);
  expect(await transactions()).toEqual([2, 2, 1]);
});

test("those that are refused take nobody with them", async () => {
  await eventLog.append("taken", "no-stream", someFacts(1));
  const codes = await Promise.all([
    codeOf(eventLog.append("a", "no-stream", someFacts(2))),
    codeOf(eventLog.append("taken", "no-stream", someFacts(1))),
    codeOf(eventLog.append("b", 5n, someFacts(1))),
    codeOf(eventLog.append("d", "no-stream", someFacts(1))),
  ]);
  expect(codes).toEqual(["fulfilled", "FI_WRONG_EXPECTED_REVISION", "FI_WRONG_EXPECTED_REVISION", "fulfilled"]);
  expect(await transactions()).toEqual([1, 3]);
});

test("nor does one whose id stands already: each is made again by itself", async () => {
  await eventLog.append("taken", "no-stream", someFacts(1));
  const [known] = await eventLog.read("taken");
  const codes = await Promise.all([
    codeOf(eventLog.append("a", "no-stream", someFacts(2))),
    codeOf(eventLog.append("b", 5n, someFacts(1))),
    codeOf(eventLog.append("c", "no-stream", [aFact(), { ...aFact(), id: known?.id ?? "" }])),
    codeOf(eventLog.append("d", "no-stream", someFacts(1))),
  ]);
  expect(codes).toEqual(["fulfilled", "FI_WRONG_EXPECTED_REVISION", "FI_APPEND_INVALID", "fulfilled"]);
  expect(await transactions()).toEqual([1, 2, 1]);
});

test.each([
  // That a few do not fit is known when they were not stored; many are two batches.
  ["few", 0, 2],
  ["many", 60, 2],
])("each is answered with what was stored of it, whichever of its batch of %s do not fit", async (_, others, sent) => {
  const known = someFacts(3);
  const first = await eventLog.append("known", "no-stream", known);
  statements.length = 0;
  const [a, refused, b, repeated, c] = await Promise.allSettled([
    eventLog.append("a", "no-stream", someFacts(3)),
    eventLog.append("a-gap", 4n, someFacts(2)),
    eventLog.append("b", "no-stream", someFacts(1)),
    eventLog.append("known", "no-stream", known),
    eventLog.append("c", "no-stream", someFacts(2)),
    ...Array.from({ length: others }, (_, n) => eventLog.append(`other-${n}`, "no-stream", someFacts(2))),
  ]);
  expect(statements).toHaveLength(sent);
  expect(refused).toMatchObject({ status: "rejected", reason: { code: "FI_WRONG_EXPECTED_REVISION" } });
  expect(repeated).toEqual({ status: "fulfilled", value: first });
  for (const [stream, answered] of Object.entries({ a, b, c })) {
    const last = (await eventLog.read(stream)).at(-1);
    expect(answered).toEqual({ status: "fulfilled", value: { revision: last?.revision, position: last?.position } });
  }
});

test("of two that expect one stream at the same place in one batch, the first is taken, with the others", async () => {
  const codes = await Promise.all([
    codeOf(eventLog.append("a", "no-stream", someFacts(2))),
    codeOf(eventLog.append("b", "no-stream", someFacts(1))),
    codeOf(eventLog.append("a", "no-stream", someFacts(1))),
    codeOf(eventLog.append("a", 1n, someFacts(1))),
  ]);
  expect(codes).toEqual(["fulfilled", "fulfilled", "FI_WRONG_EXPECTED_REVISION", "fulfilled"]);
  expect(statements).toHaveLength(1);
  expect(await eventLog.read("a")).toHaveLength(3);
});

test("one that the server itself cannot store takes nobody with it", async () => {
  // As a constraint that somebody has added.
  await sql.script(`alter table ${schema}.events add constraint no_poison check (type <> 'Poison')`);
  try {
    const codes = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        codeOf(eventLog.append(`build-${n}`, "no-stream", [aFact({}, n === 7 ? "Poison" : "ImageCheck")])),
      ),
    );
    expect(codes).toEqual(Array.from({ length: 20 }, (_, n) => (n === 7 ? "FI_APPEND_INVALID" : "fulfilled")));
  } finally {
    await sql.script(`alter table ${schema}.events drop constraint no_poison`);
  }
});

test("positions within a batch follow the order in which the appends were given", async () => {
  await Promise.all(Array.from({ length: 50 }, (_, n) => eventLog.append(`build-${n}`, "no-stream", someFacts(3))));
  const { facts } = await eventLog.readAll({ limit: 1000 });
  expect(facts.map(({ stream, revision }) => `${stream}/${revision}`)).toEqual(
    Array.from({ length: 150 }, (_, n) => `build-${Math.floor(n / 3)}/${n % 3}`),
  );
});
