import type { EventFilter, EventLog, Position, RecordedFact } from "@fetch-image/core/fetching";
import { passes } from "../facts/filter.ts";
import type { Names } from "./names.ts";
import { isAfter, type LogPosition, logPosition, positionText } from "./position.ts";
import { asFact, placeOf } from "./recorded.ts";
import type { Followed, News } from "./subscription.ts";

/** What a subscription of ours has given so far, and how it goes on from there. */
export interface Source {
  /** Everything up to here has been given. */
  readonly position: Position | undefined;
  /** What the server is to be asked to follow; undefined where nothing can ever come. */
  readonly followed: Followed | undefined;
  /** The next facts of what is there already. */
  page(): Promise<{ readonly facts: readonly RecordedFact[]; readonly end: boolean }>;
  /** The fact in what a subscription said, where there is one that was not given before. */
  accept(news: News): RecordedFact | undefined;
}

interface SourceOptions {
  readonly log: Pick<EventLog, "read" | "readAll">;
  readonly names: Names;
  readonly after: Position | undefined;
}

const pageSize = 512;

/** All streams, or those whose names begin so. */
export class AllStreams implements Source {
  readonly #options: SourceOptions & { readonly filter: Exclude<EventFilter, { stream: string }> | undefined };
  readonly #prefixes: readonly string[];
  #at: LogPosition | undefined;

  constructor(options: SourceOptions & { readonly filter: Exclude<EventFilter, { stream: string }> | undefined }) {
    this.#options = options;
    this.#prefixes = options.names.prefixes(options.filter);
    this.#at = options.after === undefined ? undefined : logPosition(options.after);
  }

  get position(): Position | undefined {
    return this.#at === undefined ? undefined : positionText(this.#at);
  }

  get followed(): Followed | undefined {
    return this.#prefixes.length === 0 ? undefined : { prefixes: this.#prefixes, after: this.#at };
  }

  async page(): Promise<{ facts: readonly RecordedFact[]; end: boolean }> {
    const { log, filter } = this.#options;
    const { facts, next, end } = await log.readAll({
      ...(this.position === undefined ? {} : { after: this.position }),
      ...(filter === undefined ? {} : { filter }),
      limit: pageSize,
    });
    if (next !== undefined) this.#at = logPosition(next);
    return { facts, end };
  }

  accept(news: News): RecordedFact | undefined {
    if (news.kind === "caught-up") return undefined;
    const place = news.kind === "checkpoint" ? news.position : placeOf(news.event);
    if (!isAfter(place, this.#at)) return undefined;
    this.#at = place;
    if (news.kind === "checkpoint") return undefined;
    const { names, filter } = this.#options;
    const stream = names.fromServer(news.event.streamId);
    return stream !== undefined && passes(filter, stream) ? asFact(news.event, stream) : undefined;
  }
}

/** One stream, which the server finds by revision, however much else there is. */
export class OneStream implements Source {
  readonly #options: SourceOptions & { readonly stream: string };
  readonly #after: LogPosition | undefined;
  #revision: bigint | undefined;
  #position: Position | undefined;

  constructor(options: SourceOptions & { readonly stream: string }) {
    this.#options = options;
    this.#position = options.after;
    this.#after = options.after === undefined ? undefined : logPosition(options.after);
  }

  get position(): Position | undefined {
    return this.#position;
  }

  get followed(): Followed | undefined {
    const { names, stream } = this.#options;
    return names.isOurs(stream) ? { stream: names.onServer(stream), after: this.#revision } : undefined;
  }

  async page(): Promise<{ facts: readonly RecordedFact[]; end: boolean }> {
    const { log, stream } = this.#options;
    const from = (this.#revision ?? -1n) + 1n;
    const read = await log.read(stream, { from, limit: pageSize });
    const facts = read.filter((fact) => this.#note(fact));
    return { facts, end: read.length < pageSize };
  }

  accept(news: News): RecordedFact | undefined {
    if (news.kind !== "event" || news.event.revision <= (this.#revision ?? -1n)) return undefined;
    const fact = asFact(news.event, this.#options.stream);
    return this.#note(fact) ? fact : undefined;
  }

  /** Whether the fact is one to be given: it comes after the position that was asked for. */
  #note({ revision, position }: RecordedFact): boolean {
    this.#revision = revision;
    if (!isAfter(logPosition(position), this.#after)) return false;
    this.#position = position;
    return true;
  }
}
