// Folds of build streams: what they find, where they may stop and go on, and what they refuse.
import {
  decodeBuildFact,
  FetchImageError,
  type FetchState,
  formatTime,
  noBuild,
  parseTime,
  type RecordedBuildFact,
  type RecordedFact,
  replayBuild,
  type Replayed,
} from "@fetch-image/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyBuild, anyHistory } from "../support/any-fetch.ts";
import { aRequest, digestA, type InputFor, inputs } from "../support/fetch-facts.ts";
import { BuildHistory, essence } from "../support/stream-histories.ts";
import { seedFromEnv } from "./seed.ts";

test("H1: a replay finds what the writer knew: state, version, image, failure, owed effect and timer of every fetch", () => {
  everyBuild((build) => {
    const { fetches, awaited, revision, time, writer, opened } = replay(build.facts);
    expect([...fetches.keys()]).toEqual([...build.states.keys()]);
    for (const [fetchId, state] of build.states) expect(essenceOf(fetches.get(fetchId))).toEqual(essence(state));
    expect(awaited).toEqual([]);
    const last = build.facts.at(-1);
    expect({ revision, time: formatTime(time) }).toEqual({ revision: last?.revision, time: last?.metadata.time });
    expect(writer).toBe(build.node);
    expect(opened?.buildId).toBe(build.buildId);
  });
});

test("H2: a process that takes over after any append goes on to the very same facts, ids and causes included", () => {
  fc.assert(
    fc.property(anyBuild(), fc.nat(), ({ facts }, at) => {
      const ends = facts.flatMap((_fact, index) =>
        replay(facts.slice(0, index + 1)).awaited.length === 0 ? [index] : [],
      );
      const died = (ends[at % ends.length] ?? 0) + 1;
      const resumed = BuildHistory.resume(facts.slice(0, died));
      for (const fact of facts.slice(died)) continueWith(resumed, fact);
      expect(resumed.facts).toEqual(facts);
    }),
    settings,
  );
});

test("H3: a fold may stop at any fact and go on from there: it sees and finds the same", () => {
  fc.assert(
    fc.property(anyBuild(), fc.array(fc.nat(), { maxLength: 6 }), ({ facts }, cuts) => {
      const whole = foldInParts(facts, []);
      expect(
        foldInParts(
          facts,
          cuts.map((cut) => cut % facts.length),
        ),
      ).toEqual(whole);
      expect(foldInParts(facts, [...facts.keys()])).toEqual(whole);
    }),
    { ...settings, numRuns: 50 },
  );
});

test("H4: the fetches of a build do not touch each other: each folds alone as it does among the others", () => {
  everyBuild(({ facts }) => {
    for (const [fetchId, state] of replay(facts).fetches) {
      const alone = facts.filter(({ data }) => !("fetchId" in data) || data.fetchId === fetchId);
      expect(essenceOf(replay(alone).fetches.get(fetchId))).toEqual(essence(state));
    }
  });
});

test("H5: a fact that is taken out is missed by what follows, but for a mere wait and for what an abort cut short", () => {
  everyFact((facts, index, removed) => {
    const wait = removed.type === "CheckJoined" || (removed.type === "TimerFired" && removed.data.timer === "patience");
    const next = facts[index + 1];
    fc.pre(!wait && next !== undefined && next.type !== "FetchAborted");
    expect(refusal(facts.toSpliced(index, 1))).toBe("FI_HISTORY_CONTRADICTORY");
  });
});

test("H6: a fact that stands twice, or elsewhere than it was written, is seen", () => {
  fc.assert(
    fc.property(anyHistory(), fc.nat(), fc.nat(), ({ facts }, from, to) => {
      const [index, target] = [from % facts.length, to % facts.length];
      const moved = facts.slice(index, index + 1);
      expect(refusal(facts.toSpliced(target, 0, ...moved))).toBe("FI_HISTORY_CONTRADICTORY");
      fc.pre(index !== target);
      expect(refusal(facts.toSpliced(index, 1).toSpliced(target, 0, ...moved))).toBe("FI_HISTORY_CONTRADICTORY");
    }),
    settings,
  );
});

test("H7: what a fetch said cannot be changed afterwards, in any field", () => {
  everyFact((facts, index, said, pick) => {
    fc.pre(saying.has(said.type));
    const forgeries = [...forgeriesOf(said.data), { ...said.data, more: true }];
    const forged = { ...said, data: forgeries[pick % forgeries.length] };
    expect(refusal(facts.with(index, forged as RecordedBuildFact))).toMatch(
      /^FI_(HISTORY_CONTRADICTORY|FACT_UNREADABLE)$/,
    );
  });
});

test("H8: a fact with a field of another kind, or without its fetch, is unreadable", () => {
  everyFact((facts, index, fact, pick) => {
    const keys = Object.keys(fact.data);
    const key = keys[pick % keys.length] ?? "";
    const { fetchId: _fetchId, buildId: _buildId, ...nameless } = fact.data as { fetchId?: string; buildId?: string };
    for (const data of [{ ...fact.data, [key]: Number.NaN }, nameless]) {
      expect(refusal(facts.with(index, { ...fact, data } as RecordedBuildFact))).toBe("FI_FACT_UNREADABLE");
    }
  });
});

test("H9: a store may give a fact's fields back in another order", () => {
  everyBuild(({ facts, states }) => {
    const { fetches, awaited } = replay(facts.map((fact) => backwards(fact) as RecordedBuildFact));
    expect(awaited).toEqual([]);
    expect([...fetches.values()].map(essenceOf)).toEqual([...states.values()].map(essenceOf));
  });
});

describe("a stream that nobody of us wrote is refused with its place and the reason", () => {
  const history = new BuildHistory().request(aRequest()).take(inputs.checked({ tag: "v1", digest: digestA }));
  const [opened, requested, check, get, checked, resolved, circuited] = history.facts;

  test.each([
    [
      "it does not begin with the build's opening",
      [requested],
      "FetchRequested at build-123@1",
      "the build is not open yet",
    ],
    ["the build is opened twice", [opened, { ...opened, revision: 9n }], "BuildOpened at build-123@9", "open already"],
    [
      "a fetch is requested twice",
      [opened, requested, check, get, { ...requested, revision: 9n }],
      "FetchRequested at build-123@9",
      "requested already",
    ],
    [
      "a fact is of a fetch that nobody requested",
      [opened, checked],
      "ImageChecked at build-123@4",
      "nobody requested the fetch",
    ],
    ["a fact is read again", [opened, requested, check, check], "ImageCheck at build-123@2", "read after a later one"],
    [
      "what a fact causes is not there",
      [opened, requested, get],
      "ImageGet at build-123@3",
      "ImageCheck of f1/image-get must stand there",
    ],
    [
      "something comes between a fact and what it causes",
      [opened, requested, checked],
      "ImageChecked at build-123@4",
      "ImageCheck of f1/image-get must stand there",
    ],
    [
      "nothing causes what is said",
      [opened, requested, check, get, circuited],
      "ImageShortCircuited at build-123@6",
      "nothing before it causes it",
    ],
    [
      "the machine ignores the fact where it stands",
      [...history.facts, { ...checked, revision: 9n }],
      "ImageChecked at build-123@9",
      "the fetch is short-circuited and does not take it",
    ],
  ])("%s", (_name, facts, where, why) => {
    const error = errorOf(() => replayBuild(facts as RecordedBuildFact[]));
    expect(error).toMatchObject({ code: "FI_HISTORY_CONTRADICTORY" });
    expect(error?.message).toContain(`${where} contradicts the facts before it: `);
    expect(error?.message).toContain(why);
  });

  test("an announcement under the other's name is seen, even where both have one plan", () => {
    const { facts } = new BuildHistory().request(aRequest({ checkPlan: aRequest().getPlan }));
    const renamed = facts.map((fact) => (fact.type === "ImageCheck" ? { ...fact, type: "ImageGet" as const } : fact));
    expect(refusal(facts)).toBeUndefined();
    expect(refusal(renamed)).toBe("FI_HISTORY_CONTRADICTORY");
  });

  test("what is still missing at the end of a stream that was cut off is told", () => {
    const { awaited } = replayBuild([opened, requested, check, get, checked].flatMap((fact) => fact ?? []));
    expect(awaited.map(({ data }) => data)).toEqual([resolved?.data, circuited?.data]);
  });
});

const saying: ReadonlySet<string> = new Set([
  "ImageCheck",
  "ImageGet",
  "ImageVersionResolved",
  "ImageShortCircuited",
  "FetchFailed",
]);

const settings = { seed: seedFromEnv(), numRuns: 100 };

function everyBuild(check: (build: BuildHistory) => void): void {
  fc.assert(fc.property(anyBuild(), check), settings);
}

/** A history, one of its facts, and a number to pick something of that fact by. */
function everyFact(
  check: (facts: readonly RecordedBuildFact[], index: number, fact: RecordedBuildFact, pick: number) => void,
): void {
  fc.assert(
    fc.property(anyHistory(), fc.nat(), fc.nat(), ({ facts }, at, pick) => {
      const index = at % facts.length;
      for (const fact of facts.slice(index, index + 1)) check(facts, index, fact, pick);
    }),
    settings,
  );
}

/** As a store gives them: decoded, then folded. */
function replay(facts: readonly RecordedBuildFact[]): ReturnType<typeof replayBuild> {
  return replayBuild(
    facts.map((stored) => {
      const decoded = decodeBuildFact(stored as unknown as RecordedFact);
      if (!decoded.known) throw new Error(`${stored.type} is not known`);
      return decoded.fact;
    }),
  );
}

function errorOf(run: () => unknown): FetchImageError | undefined {
  try {
    run();
  } catch (error) {
    if (FetchImageError.is(error)) return error;
    throw error;
  }
  return undefined;
}

/** The code with which the facts are refused; none where they are taken. */
function refusal(facts: readonly RecordedBuildFact[]): string | undefined {
  return errorOf(() => replay(facts))?.code;
}

/** Everything that a fold sees and finds, when it stops at these facts and goes on. */
function foldInParts(facts: readonly RecordedBuildFact[], cuts: readonly number[]): unknown {
  const seen: unknown[] = [];
  let state = noBuild;
  let from = 0;
  for (const to of [...cuts.toSorted((a, b) => a - b), facts.length]) {
    const see = ({ fact, after, says }: Replayed) => seen.push([fact.id, essenceOf(after), says]);
    state = replayBuild(facts.slice(from, to), see, state);
    from = to;
  }
  const fetches = [...state.fetches].map(([fetchId, fetch]) => [fetchId, essence(fetch)]);
  return { seen, state: { ...state, fetches, causes: [...state.causes] } };
}

function essenceOf(state: FetchState | undefined): object | undefined {
  return state === undefined ? undefined : essence(state);
}

/** The same, with the fields of every object in reverse. */
function backwards(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(backwards);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).toReversed();
  return Object.fromEntries(fields.map(([key, inner]) => [key, backwards(inner)]));
}

/** Brings the fact about once more; what a fetch says comes by itself. */
function continueWith(history: BuildHistory, fact: RecordedBuildFact): void {
  if (saying.has(fact.type)) return;
  history.now = parseTime(fact.metadata.time);
  if (fact.type === "BuildAdopted") history.adopt(fact.metadata.node);
  else if (fact.type === "FetchRequested") history.request(fact.data);
  else {
    const { fetchId, ...data } = fact.data as { fetchId: string };
    history.take({ type: fact.type, data } as InputFor, fetchId);
  }
}

/** The value with one of its leaves changed, once for each leaf. */
function forgeriesOf(value: unknown): unknown[] {
  if (typeof value === "string") return [`${value}x`];
  if (typeof value === "number") return [value + 1];
  if (typeof value === "boolean") return [!value];
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    return items.flatMap((item, index) => forgeriesOf(item).map((forged) => items.with(index, forged)));
  }
  if (value === null) return [""];
  return Object.entries(value ?? {}).flatMap(([key, inner]) =>
    forgeriesOf(inner).map((forged) => ({ ...(value as object), [key]: forged })),
  );
}
