// The whole transition table, cell by cell, on every state that a fetch of that kind can be in.
import { begin, type FetchInput, type FetchRequest, type FetchState, stateName, step } from "@fetch-image/core";
import { describe, expect, test } from "vitest";
import { inputOf, startOfTests } from "../support/fetch-facts.ts";
import { type Cell, type Occasion, occasions, transitions } from "../support/transition-table.ts";

const facts = Object.values(occasions).map(({ fact }) => fact);
const explored = new Map<FetchRequest, readonly FetchState[]>();

describe("C4: every state is in the table with every fact under every guard, and the machine does what stands there", () => {
  describe.each(Object.entries(transitions))("%s", (state, row) => {
    const cells = Object.entries<Occasion>(occasions).map(([name, occasion]) => ({
      name,
      occasion,
      cell: cellOf(row, name),
    }));
    test.each(cells)("$name: $cell", ({ occasion, cell }) => {
      const here = everyState(occasion.request).filter(
        (reached) => stateName(reached) === state && (occasion.when?.(reached.snapshot.context) ?? true),
      );
      const leadsTo = here.map((from) => outcome(from, inputOf(occasion.request.fetchId, occasion.fact)));
      expect(new Set<Cell>(leadsTo)).toEqual(new Set<Cell>(cell === "unreachable" ? [] : [cell]));
    });
  });
});

test("every state is reached by some occasion", () => {
  const reached = Object.values(occasions).flatMap(({ request }) => everyState(request).map(stateName));
  expect(new Set(reached)).toEqual(new Set(Object.keys(transitions)));
});

function outcome(from: FetchState, input: FetchInput): Cell {
  const next = step(from, input, startOfTests);
  return next === undefined ? "ignored" : stateName(next.state);
}

function cellOf(row: { readonly [name: string]: Cell }, name: string): Cell {
  const cell = row[name];
  if (cell === undefined) throw new Error(`the table has no cell for ${name}`);
  return cell;
}

/** Every state that a fetch can come to, by whatever facts of the table. */
function everyState(request: FetchRequest): readonly FetchState[] {
  const before = explored.get(request);
  if (before !== undefined) return before;
  const found = new Map<string, FetchState>();
  const open = [begin(request, startOfTests).state];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const { value, context } = state.snapshot;
    const key = JSON.stringify([value, context]);
    if (found.has(key)) continue;
    found.set(key, state);
    for (const fact of facts) {
      const next = step(state, inputOf(request.fetchId, fact), startOfTests);
      if (next !== undefined) open.push(next.state);
    }
  }
  const all = [...found.values()];
  explored.set(request, all);
  return all;
}
