import { buildStream, buildStreamPrefix, type EventLog, type RecordedFact } from "@fetch-image/core";
import { BuildFold } from "./build-fold.ts";

const pageSize = 512;

/** Builds' folds, those looked at last: what is let go of is read from the store when it is asked for again. */
export class BuildFolds {
  readonly #eventLog: EventLog;
  readonly #most: number;
  /** The one looked at last stands last. */
  readonly #folds = new Map<string, BuildFold>();
  readonly #loading = new Map<string, Promise<BuildFold>>();
  #weight = 0;

  constructor(eventLog: EventLog, { most }: { readonly most: number }) {
    this.#eventLog = eventLog;
    this.#most = most;
  }

  /** Builds and fetches in memory; at most `most`, unless one build alone has more. */
  get weight(): number {
    return this.#weight;
  }

  /** The fold as it stands, where it is in memory. */
  peek(buildId: string): BuildFold | undefined {
    return this.#folds.get(buildId);
  }

  /** The fold of all that the build's stream has now. Rejects as the event log does. */
  load(buildId: string): Promise<BuildFold> {
    const known = this.#loading.get(buildId);
    if (known !== undefined) return known;
    const loading = this.#load(buildId).finally(() => this.#loading.delete(buildId));
    this.#loading.set(buildId, loading);
    return loading;
  }

  /**
   * Takes in a fact as a subscription gives it; the build's fold and the id of the fetch that changed. What a fold that
   * was read in the meantime has already changes nothing, and the fetch is told all the same.
   */
  take(recorded: RecordedFact): Taken | Promise<Taken> {
    const buildId = recorded.stream.slice(buildStreamPrefix.length);
    const fold = this.#folds.get(buildId) ?? (recorded.revision === 0n ? new BuildFold(buildId) : undefined);
    if (fold === undefined || this.#loading.has(buildId) || fold.revision < recorded.revision) {
      return this.#loadUpTo(recorded, buildId);
    }
    if (fold.revision > recorded.revision) return { fold, fetchId: fetchIdOf(recorded) };
    const fetchId = this.#counted(fold, () => fold.take(recorded));
    this.#keep(fold);
    return { fold, fetchId };
  }

  async #loadUpTo(recorded: RecordedFact, buildId: string): Promise<Taken> {
    const loaded = await this.load(buildId);
    // A load that was under way may have looked before the fact was stored.
    const fold = loaded.revision > recorded.revision ? loaded : await this.load(buildId);
    return { fold, fetchId: fetchIdOf(recorded) };
  }

  async #load(buildId: string): Promise<BuildFold> {
    const fold = this.#folds.get(buildId) ?? new BuildFold(buildId);
    for (;;) {
      const facts = await this.#eventLog.read(buildStream(buildId), { from: fold.revision, limit: pageSize });
      this.#counted(fold, () => {
        for (const fact of facts) fold.take(fact);
      });
      if (facts.length < pageSize) break;
    }
    this.#keep(fold);
    return fold;
  }

  #counted<T>(fold: BuildFold, work: () => T): T {
    const before = fold.weight;
    const result = work();
    if (this.#folds.has(fold.buildId)) this.#weight += fold.weight - before;
    return result;
  }

  #keep(fold: BuildFold): void {
    if (this.#folds.delete(fold.buildId)) this.#weight -= fold.weight;
    this.#folds.set(fold.buildId, fold);
    this.#weight += fold.weight;
    for (const [buildId, oldest] of this.#folds) {
      if (this.#weight <= this.#most || oldest === fold) break;
      this.#folds.delete(buildId);
      this.#weight -= oldest.weight;
    }
  }
}

export interface Taken {
  readonly fold: BuildFold;
  readonly fetchId: string | undefined;
}

function fetchIdOf({ data }: RecordedFact): string | undefined {
  const fetchId = data["fetchId"];
  return typeof fetchId === "string" ? fetchId : undefined;
}
