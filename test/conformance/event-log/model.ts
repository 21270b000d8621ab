import type { EventLog, ExpectedRevision, NewFact } from "@fetch-image/core";
import * as fc from "fast-check";
import { expect } from "vitest";
import { seedFromEnv } from "../../properties/seed.ts";
import { codeOf, idsOf, namedFact } from "../facts.ts";
import { follow } from "../follower.ts";
import type { Differences, UnderTest } from "../under-test.ts";

/** One append as drawn: to which stream, how far from the right revision, of how many facts, new ones or repeated. */
interface Draw {
  readonly stream: number;
  readonly miss: -2 | -1 | 0 | 1;
  readonly facts: number;
  readonly repeat: "no" | "last" | "last-and-more" | "id-of-another";
}

const draw: fc.Arbitrary<Draw> = fc.record({
  stream: fc.integer({ min: 0, max: 3 }),
  miss: fc.constantFrom(0, 0, 0, 0, -1, 1, -2),
  facts: fc.integer({ min: 1, max: 4 }),
  repeat: fc.constantFrom("no", "no", "no", "last", "last-and-more", "id-of-another"),
});

/**
 * Random appends, a few of them at the same time, against a model that is nothing but lists: the same outcomes, the same
 * streams, and one order that pages, subscriptions and streams agree on.
 */
export async function expectModelled(adapter: UnderTest<EventLog>, numRuns: number): Promise<void> {
  const turns = fc.array(fc.uniqueArray(draw, { selector: ({ stream }) => stream, minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(turns, async (drawn) => {
      const eventLog = await adapter.open();
      try {
        await run(eventLog, drawn, adapter.differences ?? {});
      } finally {
        await eventLog.close();
      }
    }),
    { seed: seedFromEnv(), numRuns },
  );
}

async function run(
  eventLog: EventLog,
  turns: readonly (readonly Draw[])[],
  { takesKnownIds = false }: Differences,
): Promise<void> {
  const model = new Model(takesKnownIds);
  const follower = follow(eventLog);
  for (const [turn, draws] of turns.entries()) {
    const appends = draws.map((one, index) => model.plan(one, `${turn}.${index}`));
    // What is given in one turn goes to different streams, so that the model knows each outcome.
    const codes = await Promise.all(
      appends.map(({ stream, expected, facts }) => codeOf(eventLog.append(stream, expected, facts))),
    );
    expect(codes).toEqual(appends.map((append) => model.take(append)));
  }
  for (const [stream, ids] of model.streams) expect(idsOf(await eventLog.read(stream))).toEqual(ids);
  const all = (await eventLog.readAll({ limit: 1000 })).facts;
  expect(idsOf(all).toSorted()).toEqual([...model.streams.values()].flat().toSorted());
  for (const [stream, ids] of model.streams) {
    expect(idsOf(all.filter((fact) => fact.stream === stream))).toEqual(ids);
  }
  await follower.reached(all.length);
  await follower.stop();
  expect(idsOf(follower.facts)).toEqual(idsOf(all));
}

interface PlannedAppend {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly facts: readonly NewFact[];
}

class Model {
  readonly streams = new Map<string, string[]>();
  readonly #last = new Map<string, PlannedAppend>();
  readonly #takesKnownIds: boolean;

  constructor(takesKnownIds: boolean) {
    this.#takesKnownIds = takesKnownIds;
  }

  plan(draw: Draw, name: string): PlannedAppend {
    const stream = `build-${draw.stream}`;
    const fresh = Array.from({ length: draw.facts }, (_, index) => namedFact(name, index));
    const last = this.#last.get(stream);
    if (draw.repeat === "last" && last !== undefined) return last;
    if (draw.repeat === "last-and-more" && last !== undefined) return { ...last, facts: [...last.facts, ...fresh] };
    const other = [...this.streams].find(([other, ids]) => other !== stream && ids.length > 0)?.[1][0];
    const standing = (this.streams.get(stream) ?? []).length - 1;
    const revision = Math.max(-1, standing + draw.miss);
    const [first, ...rest] = fresh;
    const facts =
      draw.repeat === "id-of-another" && other !== undefined && first !== undefined
        ? [...rest, { ...first, id: other }]
        : fresh;
    return { stream, expected: revision < 0 ? "no-stream" : BigInt(revision), facts };
  }

  /** The outcome the port promises. */
  take(append: PlannedAppend): string {
    const ids = this.streams.get(append.stream) ?? [];
    const given = idsOf(append.facts);
    const after = append.expected === "no-stream" ? 0 : Number(append.expected) + 1;
    if (after < ids.length && given.every((id, index) => ids[after + index] === id)) return "fulfilled";
    if (after !== ids.length) return "FI_WRONG_EXPECTED_REVISION";
    const known = new Set([...this.streams.values()].flat());
    if (!this.#takesKnownIds && given.some((id) => known.has(id))) return "FI_APPEND_INVALID";
    this.streams.set(append.stream, [...ids, ...given]);
    this.#last.set(append.stream, append);
    return "fulfilled";
  }
}
