import {
  type Appended,
  buildStreamPrefix,
  type EventLog,
  FetchImageError,
  type NewFact,
  type ReadOptions,
  type RecordedFact,
} from "@fetch-image/core/fetching";

/**
 * An event log whose builds are kept in memory until they are taken out; everything else (what was observed at the
 * registries) is the log's below. A shadow's builds run nothing: as facts they would answer questions about what ran.
 */
export class BuildsInMemory implements EventLog {
  readonly #below: EventLog;
  readonly #builds = new Map<string, RecordedFact[]>();

  constructor(below: EventLog) {
    this.#below = below;
  }

  /** The facts of a build's stream, which is forgotten. */
  take(stream: string): readonly RecordedFact[] {
    const facts = this.#builds.get(stream) ?? [];
    this.#builds.delete(stream);
    return facts;
  }

  append(stream: string, expected: "no-stream" | bigint, facts: readonly NewFact[]): Promise<Appended> {
    if (!stream.startsWith(buildStreamPrefix)) return this.#below.append(stream, expected, facts);
    const stored = this.#builds.get(stream) ?? [];
    const next = expected === "no-stream" ? 0n : expected + 1n;
    if (next !== BigInt(stored.length)) {
      return Promise.reject(new FetchImageError("FI_WRONG_EXPECTED_REVISION", { details: { stream } }));
    }
    for (const fact of facts) {
      stored.push({ ...fact, stream, revision: BigInt(stored.length), position: String(stored.length) });
    }
    this.#builds.set(stream, stored);
    const revision = BigInt(stored.length - 1);
    return Promise.resolve({ revision, position: String(revision) });
  }

  read(stream: string, options?: ReadOptions): Promise<readonly RecordedFact[]> {
    if (!stream.startsWith(buildStreamPrefix)) return this.#below.read(stream, options);
    const { from, direction = "forwards", limit } = options ?? {};
    const ordered =
      direction === "forwards" ? (this.#builds.get(stream) ?? []) : (this.#builds.get(stream) ?? []).toReversed();
    const isWanted = ({ revision }: RecordedFact) =>
      from === undefined || (direction === "forwards" ? revision >= from : revision <= from);
    return Promise.resolve(ordered.filter(isWanted).slice(0, limit));
  }

  readonly readAll: EventLog["readAll"] = (options) => this.#below.readAll(options);

  readonly subscribe: EventLog["subscribe"] = (options) => this.#below.subscribe(options);

  /** The log below stays: others use it. */
  close(): Promise<void> {
    this.#builds.clear();
    return Promise.resolve();
  }
}
