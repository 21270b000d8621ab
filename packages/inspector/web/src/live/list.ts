// The builds and fetches of the list: the newest pages of what there was, then whatever the server tells.
import { computed, signal } from "@preact/signals";
import type { FetchSummary } from "../facts/summary.ts";
import { go, search, stateFilter } from "./address.ts";
import { problemText } from "./problem.ts";
import { api, ask, server } from "./server.ts";

/** So many are kept; of what is beyond, those that ended longest ago are let go of. */
const mostFetches = 10_000;
const pageSize = 500;
/** Changes are shown together, at most so many milliseconds after the first. */
const batchMs = 60;
/** A stream that has closed is opened again after so many milliseconds. */
const retryMs = 2000;

export type FeedState = "connecting" | "live" | "lost";

interface Listed {
  readonly fetches: ReadonlyMap<string, FetchSummary>;
}

const listed = signal<Listed>({ fetches: new Map() });
export const feed = signal<FeedState>("connecting");
/** Why the list is not there, or not whole. */
export const listProblem = signal<string | undefined>(undefined);
/** Whether the newest fetch is chosen as it comes. */
export const isFollowing = signal(false);

function keyOf({ build, fetch }: { readonly build: string; readonly fetch: string }): string {
  return `${build}\n${fetch}`;
}

export function summaryFor(build: string, fetch: string): FetchSummary | undefined {
  return listed.value.fetches.get(keyOf({ build, fetch }));
}

/** Fetches that wait for the answer of this one. */
export function waitersFor(build: string, fetch: string): readonly FetchSummary[] {
  return [...listed.value.fetches.values()].filter(
    ({ waitsFor }) => waitsFor !== undefined && waitsFor.build === build && waitsFor.fetch === fetch,
  );
}

/** `active`: none of the final states. */
export const stateFilters = [
  "active",
  "authorizing",
  "checking",
  "waiting",
  "backing-off",
  "resolving",
  "fetching-artifact",
  "short-circuited",
  "fetched",
  "failed",
  "aborted",
] as const;

const finalStates: ReadonlySet<string> = new Set(["short-circuited", "fetched", "failed", "aborted"]);

export type Row =
  | { readonly kind: "build"; readonly build: string; readonly fetches: readonly FetchSummary[] }
  | { readonly kind: "fetch"; readonly summary: FetchSummary };

/** Builds, the newest first, each with the fetches that the filter lets through in the order of their requests. */
export const rows = computed<readonly Row[]>(() => {
  const state = stateFilter.value;
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const builds = new Map<string, { newest: string; fetches: FetchSummary[] }>();
  for (const summary of listed.value.fetches.values()) {
    if (!isWanted(summary, words, state)) continue;
    const { build, requestedAt } = summary;
    const known = builds.get(build);
    if (known === undefined) builds.set(build, { newest: requestedAt, fetches: [summary] });
    else {
      known.fetches.push(summary);
      if (requestedAt > known.newest) known.newest = requestedAt;
    }
  }
  const sorted = [...builds].toSorted(([, a], [, b]) => (a.newest < b.newest ? 1 : a.newest > b.newest ? -1 : 0));
  return sorted.flatMap(([build, { fetches }]): Row[] => [
    { kind: "build", build, fetches },
    ...fetches
      .toSorted((a, b) => (a.requestedAt < b.requestedAt ? -1 : a.requestedAt > b.requestedAt ? 1 : 0))
      .map((summary): Row => ({ kind: "fetch", summary })),
  ]);
});

/** How many fetches there are, and in how many of them something can still happen. */
export const counts = computed(() => {
  const all = [...listed.value.fetches.values()];
  return { all: all.length, active: all.filter(({ state }) => !finalStates.has(state)).length };
});

/** The tags that the listed fetches asked for. */
export const images = computed<readonly string[]>(() => {
  const found = new Set(
    [...listed.value.fetches.values()].flatMap(({ image }) => (image === undefined ? [] : [image])),
  );
  return [...found].toSorted();
});

/** What a file holds takes the place of what the server told. */
export function listFrom(summaries: readonly FetchSummary[]): void {
  stop();
  listed.value = { fetches: new Map(summaries.map((summary) => [keyOf(summary), summary])) };
}

let stream: EventSource | undefined;
let again: ReturnType<typeof setTimeout> | undefined;
let waiting: FetchSummary[] = [];
let flushing: ReturnType<typeof setTimeout> | undefined;

interface FetchesPage {
  readonly fetches: readonly FetchSummary[];
  readonly next?: string;
  readonly position: string;
}

/** Reads the newest page, follows from there, and reads older pages meanwhile. */
export async function listFromServer(): Promise<void> {
  stop();
  feed.value = "connecting";
  try {
    const first = await ask<FetchesPage>(api("fetches", { limit: String(pageSize) }));
    server.value = "here";
    listProblem.value = undefined;
    take(first.fetches);
    follow(first.position);
    await readOlder(first.next);
  } catch (error) {
    if (server.peek() === "asking") server.value = "none";
    else listProblem.value = problemText(error);
    if (server.peek() === "here") again = setTimeout(() => void listFromServer(), retryMs);
  }
}

async function listAgain(): Promise<void> {
  try {
    const { fetches, next } = await ask<FetchesPage>(api("fetches", { limit: String(pageSize) }));
    listed.value = { fetches: new Map() };
    take(fetches);
    await readOlder(next);
  } catch (error) {
    listProblem.value = problemText(error);
  }
}

async function readOlder(next: string | undefined): Promise<void> {
  let before = next;
  while (before !== undefined && listed.peek().fetches.size < mostFetches) {
    const page = await ask<FetchesPage>(api("fetches", { limit: String(pageSize), before }));
    // What the stream has told meanwhile is newer.
    take(page.fetches.filter((summary) => !listed.peek().fetches.has(keyOf(summary))));
    before = page.next;
  }
}

function follow(position: string): void {
  const opened = new EventSource(api("fetches/live", { after: position }));
  stream = opened;
  opened.addEventListener("open", () => {
    feed.value = "live";
  });
  opened.addEventListener("fetch", ({ data }: MessageEvent<string>) => {
    waiting.push(JSON.parse(data) as FetchSummary);
    flushing ??= setTimeout(flush, batchMs);
  });
  // Too much has happened meanwhile: what is listed may be old, and the stream goes on by itself.
  opened.addEventListener("reset", () => void listAgain());
  opened.addEventListener("error", () => {
    feed.value = "lost";
    // The browser resumes by itself unless the server has refused.
    if (opened.readyState === EventSource.CLOSED) again = setTimeout(() => void listFromServer(), retryMs);
  });
}

function flush(): void {
  flushing = undefined;
  const told = waiting;
  waiting = [];
  take(told);
  const newest = told.at(-1);
  if (isFollowing.peek() && newest !== undefined) go({ build: newest.build, fetch: newest.fetch, at: undefined });
}

function take(summaries: readonly FetchSummary[]): void {
  if (summaries.length === 0) return;
  const fetches = new Map(listed.peek().fetches);
  for (const summary of summaries) fetches.set(keyOf(summary), summary);
  const tooMany = fetches.size - mostFetches;
  if (tooMany > 0) {
    const oldest = [...fetches.values()]
      .filter(({ state }) => finalStates.has(state))
      .toSorted((a, b) => (a.since < b.since ? -1 : 1))
      .slice(0, tooMany);
    for (const summary of oldest) fetches.delete(keyOf(summary));
  }
  listed.value = { fetches };
}

function stop(): void {
  stream?.close();
  stream = undefined;
  clearTimeout(again);
  clearTimeout(flushing);
  flushing = undefined;
  waiting = [];
}

function isWanted(summary: FetchSummary, words: readonly string[], state: string): boolean {
  if (state === "active" ? finalStates.has(summary.state) : state !== "" && summary.state !== state) return false;
  if (words.length === 0) return true;
  const { build, team, pipeline, job, step, name, image, digest, failure } = summary;
  const text = [build, team, pipeline, job, step, name, image, digest, summary.state, failure?.code]
    .join(" ")
    .toLowerCase();
  return words.every((word) => text.includes(word));
}
