// Which fact is looked at, and the steps that the scrubber takes.
import { computed, signal } from "@preact/signals";
import type { Lit } from "../chart/machine-picture.ts";
import { chartEdges } from "../chart/machine-picture.ts";
import type { BuildHistory, Entry } from "../facts/history.ts";
import { eventEdges } from "../facts/path.ts";
import { type FetchStateName, isFinished, stateName } from "@fetch-image/core";
import { address, chosenFetch, go } from "./address.ts";
import { build } from "./build.ts";

/** Whether steps lead through all of the build's facts, or through the chosen fetch's alone. */
export const isWholeBuild = signal(false);

/** Of the entry that is looked at, in the build; −1 where there is none. */
export const at = computed<number>(() => {
  const history = build.value?.history;
  if (history === undefined || history.entries.length === 0) return -1;
  const revision = address.value.at;
  const last = history.entries.length - 1;
  const newest = lastStep(history);
  if (revision === undefined || !/^\d{1,15}$/.test(revision)) return newest ?? last;
  const index = history.entryOfRevision(BigInt(revision));
  const fetch = steppedFetch();
  if (fetch === undefined) return index;
  // An address may name a fact between two of the fetch's.
  const entries = history.tracks.get(fetch)?.entries ?? [];
  return entries[Math.max(0, history.stepAt(fetch, index))] ?? index;
});

/** Whether what comes next is shown as it comes. */
export const isAtHead = computed(() => address.value.at === undefined);

export const entry = computed<Entry | undefined>(() => build.value?.history.entries[at.value]);

/** The fetch whose state is shown: the chosen one, or the one that the fact is about. */
export const shownFetch = computed<string | undefined>(() => chosenFetch.value ?? entry.value?.fetchId);

/** Its last entry at the position: its state there. */
export const fetchEntry = computed<Entry | undefined>(() => {
  const fetch = shownFetch.value;
  return fetch === undefined ? undefined : build.value?.history.entryAt(fetch, at.value);
});

/** How many steps the scrubber has. */
export const stepCount = computed<number>(() => {
  const history = build.value?.history;
  if (history === undefined) return 0;
  const fetch = steppedFetch();
  return fetch === undefined ? history.entries.length : (history.tracks.get(fetch)?.entries.length ?? 0);
});

/** At which of them it stands; −1 where there is none. */
export const step = computed<number>(() => {
  const history = build.value?.history;
  const fetch = steppedFetch();
  if (history === undefined || fetch === undefined) return at.value;
  return history.stepAt(fetch, at.value);
});

/** The entry of a step of the scrubber. */
export function entryOfStep(place: number): number {
  const fetch = steppedFetch();
  return fetch === undefined ? place : (build.peek()?.history.tracks.get(fetch)?.entries[place] ?? -1);
}

/** Shows a step; the last one goes on with what comes. */
export function goToStep(wanted: number): void {
  const count = stepCount.peek();
  const bounded = Math.max(0, Math.min(count - 1, wanted));
  if (bounded >= count - 1) go({ at: undefined }, { replace: true });
  else goToEntry(entryOfStep(bounded));
}

export function goToEntry(index: number): void {
  const revision = build.peek()?.history.entries[index]?.fact.revision;
  if (revision !== undefined) go({ at: String(revision) }, { replace: true });
}

/** What of the chart is lit. */
export const lit = computed<Lit>(() => {
  const fetch = shownFetch.value;
  const history = build.value?.history;
  const after = fetchEntry.value?.after;
  const nothing = { active: undefined, visited: none, taken: none, passed: none, possible: none };
  if (history === undefined || fetch === undefined || after === undefined) return nothing;
  const moves = (history.tracks.get(fetch)?.moves ?? []).filter((move) => move.entry <= at.value);
  const last = moves.at(-1);
  const active = stateName(after);
  const possible = isFinished(after) ? [] : eventEdges(chartEdges, active).map(({ id }) => id);
  return {
    active,
    visited: new Set(moves.flatMap((move) => statesOf(history, move.entry, move.edges))),
    taken: new Set(last?.edges),
    passed: new Set(moves.slice(0, -1).flatMap(({ edges }) => edges)),
    possible: new Set(possible),
  };
});

const none: ReadonlySet<never> = new Set();

function statesOf(history: BuildHistory, index: number, edges: readonly string[]): readonly FetchStateName[] {
  const after = history.entries[index]?.after;
  const passed = chartEdges.all
    .filter(({ id }) => edges.includes(id))
    .map(({ target }) => target.slice(chartEdges.machine.length + 1) as FetchStateName);
  return after === undefined ? passed : [...passed, stateName(after)];
}

function steppedFetch(): string | undefined {
  return isWholeBuild.value ? undefined : chosenFetch.value;
}

function lastStep(history: BuildHistory): number | undefined {
  const fetch = steppedFetch();
  return fetch === undefined ? undefined : history.tracks.get(fetch)?.entries.at(-1);
}
