import * as fc from "fast-check";
import { expect, test } from "vitest";
import { toChart } from "../../scripts/chart/chart-model.mjs";
import { layOut } from "../../scripts/chart/layout.mjs";
import { pictureProblems } from "../support/picture-problems.ts";
import { seedFromEnv } from "./seed.ts";

interface Config {
  type?: "parallel" | "final" | "history";
  history?: "shallow" | "deep";
  initial?: string;
  description?: string;
  entry?: string[];
  on?: Record<string, { target?: string; guard?: string; actions?: string }>;
  states?: Record<string, Config>;
  target?: string;
}

interface Place {
  readonly path: readonly string[];
  readonly state: Config;
}

test("every machine is drawn whole, with nothing on top of, out of or across anything else", async () => {
  await fc.assert(
    fc.asyncProperty(machine(), async (config) => {
      const chart = toChart(config);
      expect(pictureProblems(chart, await layOut(chart))).toEqual([]);
    }),
    { seed: seedFromEnv(), numRuns: 60 },
  );
});

/** Up to three levels of states of every type, with transitions from anywhere to anywhere. */
function machine(): fc.Arbitrary<Config & { id: string }> {
  return parent(2).chain((root) => {
    const places = placesIn({ path: ["m"], state: root });
    const sources = places.filter(({ state }) => state.type !== "final" && state.type !== "history");
    const transitions = fc.array(
      fc.record({
        source: fc.constantFrom(...sources),
        event: fc.constantFrom("GO", "STOP", "TheWorkWasDone", "TheWorkHasFailedForGood"),
        target: fc.option(fc.constantFrom(...places), { nil: undefined, freq: 8 }),
        guard: fc.constantFrom(undefined, "isAllowed"),
        actions: fc.constantFrom(undefined, "rememberWhy"),
      }),
      { maxLength: 24 },
    );
    return transitions.map((all) => {
      const withoutEvents = structuredClone(root);
      for (const { source, event, target, guard, actions } of all) {
        const state = source.path.slice(1).reduce((at, key) => at.states?.[key] ?? at, withoutEvents);
        state.on = {
          ...state.on,
          [event]: {
            ...(target === undefined ? {} : { target: `#${target.path.join(".")}` }),
            ...(guard === undefined ? {} : { guard }),
            ...(actions === undefined ? {} : { actions }),
          },
        };
      }
      return { id: "m", ...withoutEvents };
    });
  });
}

function parent(depth: number): fc.Arbitrary<Config> {
  const inner = depth === 0 ? leaf() : fc.oneof({ weight: 2, arbitrary: leaf() }, parent(depth - 1));
  return fc
    .record({
      children: fc.array(inner, { minLength: 1, maxLength: 4 }),
      parallel: fc.boolean(),
      initial: fc.nat(),
      words: words(),
    })
    .map(({ children, parallel, initial, words }) => ({
      ...words,
      ...(parallel ? { type: "parallel" as const } : { initial: `s${initial % children.length}` }),
      states: Object.fromEntries(children.map((child, index) => [`s${index}`, child])),
    }));
}

function leaf(): fc.Arbitrary<Config> {
  return fc.oneof(
    { weight: 4, arbitrary: words() },
    words().map((words) => ({ ...words, type: "final" as const })),
    fc.constantFrom<Config>(
      { type: "history", history: "deep" },
      { type: "history", history: "shallow", target: "s0" },
    ),
  );
}

function words(): fc.Arbitrary<Config> {
  return fc.constantFrom<Config>(
    {},
    { description: "Some words that say what it is for, more than fit into one line." },
    { entry: ["announce", "askSomebodyElse"] },
  );
}

function placesIn(place: Place): Place[] {
  const children = Object.entries(place.state.states ?? {});
  return [place, ...children.flatMap(([key, state]) => placesIn({ path: [...place.path, key], state }))];
}
