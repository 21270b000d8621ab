import {
  type BuildState,
  FetchImageError,
  type FetchOutput,
  type FetchState,
  isBuildFact,
  isFinished,
  noBuild,
  parseTime,
  type RecordedBuildFact,
  replayBuild,
  stateName,
  type UnknownFact,
} from "@fetch-image/core";
import { type ChartEdges, edgesTaken } from "./path.ts";
import { fetchOf } from "./wire.ts";

/** One fact of a build, and what it did. */
export interface Entry {
  readonly index: number;
  readonly fact: RecordedBuildFact | UnknownFact;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly fetchId: string | undefined;
  /** The fetch's state after the fact; undefined for facts of the build itself, and where the fold has ended before. */
  readonly after: FetchState | undefined;
  readonly says: readonly FetchOutput[];
}

/** A fetch's way through the machine. */
export interface Track {
  readonly fetchId: string;
  /** Indexes of the fetch's entries, growing. */
  readonly entries: readonly number[];
  readonly moves: readonly Move[];
}

/** A fact that brought the fetch into a state, its own included. */
export interface Move {
  readonly entry: number;
  readonly edges: readonly string[];
}

/**
 * A build folded once, with the state behind each fact kept: looking at any moment costs a search, no replay.
 * States share what they have in common, so that a long build stays small.
 */
export class BuildHistory {
  readonly entries: Entry[] = [];
  readonly #tracks = new Map<string, { fetchId: string; entries: number[]; moves: Move[] }>();
  readonly #chart: ChartEdges;
  #state: BuildState = noBuild;
  #problem: FetchImageError | undefined;

  constructor(chart: ChartEdges) {
    this.#chart = chart;
  }

  /** The build behind the last fact that could be folded. */
  get state(): BuildState {
    return this.#state;
  }

  /** Why facts from some place on are shown as they stand, without states: they contradict the ones before. */
  get problem(): FetchImageError | undefined {
    return this.#problem;
  }

  get tracks(): ReadonlyMap<string, Track> {
    return this.#tracks;
  }

  /** Facts in the order of their revisions; one that was there before is passed over. */
  add(facts: Iterable<RecordedBuildFact | UnknownFact>): void {
    const first = this.entries.length;
    let last = this.entries.at(-1)?.fact.revision ?? -1n;
    for (const fact of facts) {
      if (fact.revision <= last) continue;
      last = fact.revision;
      const at = parseTime(fact.metadata.time);
      this.entries.push({ index: this.entries.length, fact, at, fetchId: fetchOf(fact), after: undefined, says: [] });
    }
    const added = this.entries.slice(first);
    this.#fold(added);
    for (const entry of added) this.#track(entry);
  }

  /** The last entry of the fetch at or before an entry; undefined before its first. */
  entryAt(fetchId: string, index: number): Entry | undefined {
    const place = this.stepAt(fetchId, index);
    const found = this.#tracks.get(fetchId)?.entries[place];
    return found === undefined ? undefined : this.entries[found];
  }

  /** Which of the fetch's entries is the last at or before an entry of the build; −1 before its first. */
  stepAt(fetchId: string, index: number): number {
    const entries = this.#tracks.get(fetchId)?.entries ?? [];
    let [low, high] = [0, entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((entries[middle] ?? 0) <= index) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The entry of a revision, or the last one before it. */
  entryOfRevision(revision: bigint): number {
    const first = this.entries[0]?.fact.revision ?? 0n;
    // Without gaps mostly; facts may be missing from a file.
    let index = Math.min(this.entries.length - 1, Number(revision - first));
    while (index > 0 && (this.entries[index]?.fact.revision ?? 0n) > revision) index--;
    return Math.max(0, index);
  }

  #fold(added: readonly Entry[]): void {
    const known = added.filter(({ fact }) => isBuildFact(fact));
    if (this.#problem !== undefined || known.length === 0) return;
    let folded = 0;
    const facts = known.map(({ fact }) => fact as RecordedBuildFact);
    try {
      this.#state = replayBuild(
        facts,
        ({ after, says }) => {
          const entry = known[folded++];
          if (entry !== undefined) this.entries[entry.index] = { ...entry, after, says };
        },
        this.#state,
      );
    } catch (error) {
      if (!FetchImageError.is(error)) throw error;
      this.#problem = error;
      this.#state = replayBuild(facts.slice(0, folded), undefined, this.#state);
    }
  }

  #track({ index }: Entry): void {
    const entry = this.entries[index];
    if (entry?.fetchId === undefined) return;
    const { fact, fetchId, after } = entry;
    const track = this.#tracks.get(fetchId) ?? { fetchId, entries: [], moves: [] };
    this.#tracks.set(fetchId, track);
    const before = this.entries[track.entries.at(-1) ?? -1]?.after;
    track.entries.push(index);
    if (after === undefined || !isBuildFact(fact)) {
      // What the fold passes over leaves the fetch as it was.
      if (this.#problem === undefined && before !== undefined) this.entries[index] = { ...entry, after: before };
      return;
    }
    const [from, to] = [before === undefined ? undefined : stateName(before), stateName(after)];
    if (from === to) return;
    track.moves.push({ entry: index, edges: edgesTaken(this.#chart, from, fact, to) });
  }
}

/** Whether anything can still happen to the build's fetches. */
export function isOver({ fetches }: BuildState): boolean {
  return fetches.size > 0 && [...fetches.values()].every(isFinished);
}
