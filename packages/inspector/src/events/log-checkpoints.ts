import type { LogCursor } from "./log-chunks.ts";

interface BuildCheckpoints {
  /** By their events' ids, in order. */
  cursors: readonly LogCursor[];
  /** Events between two of them at least. */
  spacing: number;
  weight: number;
}

/** Rendering so many events costs a resuming reader some hundredths of a second. */
const firstSpacing = 1000;
const mostOfABuild = 64;
/** Of all builds together, in fetches that their states know of: some megabytes. */
const mostWeight = 20_000;

/**
 * Places in builds' logs that have been rendered, so that who resumes a long log has only the end of it rendered. Bounded:
 * a build that grows has them farther apart, and the builds that were asked for last are kept.
 */
export class LogCheckpoints {
  /** In the order of use, the latest last. */
  readonly #builds = new Map<string, BuildCheckpoints>();
  #weight = 0;

  /** Keeps a place behind which the log goes on, where none is kept near it. */
  note(buildId: string, cursor: LogCursor): void {
    const build = this.#builds.get(buildId) ?? { cursors: [], spacing: firstSpacing, weight: 0 };
    const last = build.cursors.at(-1)?.log.nextId ?? 0;
    if (cursor.log.nextId < last + build.spacing || cursor.log.ended !== null) return;
    build.cursors = [...build.cursors, cursor];
    if (build.cursors.length > mostOfABuild) {
      build.cursors = build.cursors.filter((_, index) => index % 2 === 1);
      build.spacing *= 2;
    }
    this.#weigh(build);
    this.#use(buildId, build);
    for (const [oldest] of this.#builds) {
      if (this.#weight <= mostWeight || oldest === buildId) break;
      this.drop(oldest);
    }
  }

  /** The last place at or before the event of this id; undefined where only the start is. */
  before(buildId: string, id: number): LogCursor | undefined {
    const build = this.#builds.get(buildId);
    if (build === undefined) return undefined;
    this.#use(buildId, build);
    return build.cursors.findLast(({ log }) => log.nextId <= id);
  }

  drop(buildId: string): void {
    this.#weight -= this.#builds.get(buildId)?.weight ?? 0;
    this.#builds.delete(buildId);
  }

  #use(buildId: string, build: BuildCheckpoints): void {
    this.#builds.delete(buildId);
    this.#builds.set(buildId, build);
  }

  #weigh(build: BuildCheckpoints): void {
    this.#weight -= build.weight;
    build.weight = build.cursors.reduce(
      (sum, { log }) => sum + 1 + log.state.fetches.size + log.state.announced.size,
      0,
    );
    this.#weight += build.weight;
  }
}
