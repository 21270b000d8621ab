import { END, jsonEvent, type ReadStreamOptions, START } from "@eventstore/db-client";
import {
  type Appended,
  type EventLog,
  type ExpectedRevision,
  FetchImageError,
  type NewFact,
  type Page,
  type ReadAllOptions,
  type ReadOptions,
  type RecordedFact,
  type SubscribeOptions,
  type SubscriptionMessage,
} from "@fetch-image/core/fetching";
import { type AppendRequest, appendRequest, isName } from "../facts/append-request.ts";
import { logClosed, wrongExpectedRevision } from "../facts/errors.ts";
import { Ending } from "./ending.ts";
import { type Doing, storeError } from "./errors.ts";
import { failureOf, GivenUp } from "./failures.ts";
import { followStore } from "./follow-store.ts";
import { AllStreams, OneStream } from "./followed.ts";
import { insist } from "./insist.ts";
import type { LinkUse } from "./links.ts";
import { type Names, ownStreams } from "./names.ts";
import { positionText } from "./position.ts";
import { readPage } from "./read-page.ts";
import { eventsOf } from "./reading.ts";
import { asFact, placeOf } from "./recorded.ts";
import { newsOf } from "./subscription.ts";
import { Turns } from "./turns.ts";

export interface EventLogOptions {
  readonly use: LinkUse;
  readonly names: Names;
  /** How long an append or a read is tried, and a call may be silent, in milliseconds. */
  readonly timeoutMs: number;
}

/** In bytes: what a record of EventStoreDB's log can hold, however it is configured. */
const largestAppend: number = 16 * 1024 * 1024;
/** What the client sends as one message. */
const messageSize: number = 2 * 1024 * 1024;
/**
 * Messages of appends under way at the same time. With 16, gRPC's stream asks its writer to wait, and a connection that
 * breaks then makes the client reject where nobody can catch it.
 */
const mostMessages = 15;
const largestRevision: bigint = 2n ** 63n - 2n;

/** An event log in EventStoreDB. Facts are its JSON events; ids, types, data and metadata are stored as they are. */
export class EventStoreDbEventLog implements EventLog {
  readonly #use: LinkUse;
  readonly #names: Names;
  readonly #timeoutMs: number;
  readonly #turns = new Turns(mostMessages);
  readonly #over = new Ending();
  #closing: Promise<void> | undefined;

  constructor({ use, names, timeoutMs }: EventLogOptions) {
    this.#use = use;
    this.#names = names;
    this.#timeoutMs = timeoutMs;
  }

  async append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    this.#assertOpen();
    const request = appendRequest(stream, expected, facts);
    const bytes = this.#assertFits(request);
    // Encoded here and now: what the caller does to a fact later changes nothing.
    const events = request.facts.map(({ id, type, data, metadata }) =>
      jsonEvent({ id, type, data: JSON.parse(data), metadata: new TextEncoder().encode(metadata) }),
    );
    if (expected !== "no-stream" && expected > largestRevision) {
      const [last] = await this.read(stream, { direction: "backwards", limit: 1 });
      throw wrongExpectedRevision(stream, expected, last?.revision);
    }
    const weight = Math.min(mostMessages, 1 + Math.floor(bytes / messageSize));
    return this.#turns.take(stream, weight, () => this.#append(stream, expected, events));
  }

  async read(stream: string, options: ReadOptions = {}): Promise<readonly RecordedFact[]> {
    this.#assertOpen();
    const { from, direction = "forwards", limit } = options;
    const forwards = direction === "forwards";
    if (!isName(stream) || !this.#names.isOurs(stream) || (limit !== undefined && limit < 1)) return [];
    if (from !== undefined && (forwards ? from > largestRevision : from < 0n)) return [];
    const start = from === undefined || from > largestRevision ? undefined : from < 0n ? 0n : from;
    const name = this.#names.onServer(stream);
    return this.#trying({ what: `read stream ${stream}`, stream }, async (leftMs) => {
      const facts: RecordedFact[] = [];
      const readOptions: ReadStreamOptions = {
        direction,
        requiresLeader: true,
        fromRevision: start ?? (forwards ? START : END),
        ...(limit === undefined ? {} : { maxCount: Math.trunc(limit) }),
      };
      try {
        const events = eventsOf(this.#use.link, (client) => client.readStream(name, readOptions), leftMs);
        for await (const event of events) facts.push(asFact(event, stream));
      } catch (error) {
        if (failureOf(error).kind !== "not-found") throw error;
      }
      return facts;
    });
  }

  async readAll(options: ReadAllOptions): Promise<Page> {
    this.#assertOpen();
    const page = readPage(this.#names, options);
    const { link } = this.#use;
    return this.#trying({ what: "read all streams" }, (leftMs) =>
      page({
        read(from, maxCount) {
          const fromPosition = from ?? START;
          return eventsOf(link, (client) => client.readAll({ fromPosition, maxCount, requiresLeader: true }), leftMs);
        },
        scan: (prefixes, after) => newsOf(link, { prefixes, after }, leftMs),
      }),
    );
  }

  async *subscribe(options: SubscribeOptions): AsyncGenerator<SubscriptionMessage, void> {
    const { after, filter } = options;
    const common = { log: this, names: this.#names, after };
    const followed =
      filter !== undefined && "stream" in filter
        ? new OneStream({ ...common, stream: filter.stream })
        : new AllStreams({ ...common, filter });
    yield* followStore(followed, {
      link: this.#use.link,
      timeoutMs: this.#timeoutMs,
      over: this.#over,
      signal: options.signal,
    });
  }

  /** Rejects unless the server is there, lets us read, and is one that we can work with. */
  async probe(): Promise<void> {
    const last = { direction: "backwards", fromPosition: END, maxCount: 1, requiresLeader: true } as const;
    await this.#trying({ what: "read all streams" }, async (leftMs) => {
      for await (const event of eventsOf(this.#use.link, (client) => client.readAll(last), leftMs)) placeOf(event);
      await this.#use.link.assertNewEnough(leftMs);
    });
  }

  /** Resolves when what was appended before has been answered. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#over.end(logClosed());
    await this.#turns.idle();
    await this.#use.release();
  }

  #append(stream: string, expected: ExpectedRevision, events: ReturnType<typeof jsonEvent>[]): Promise<Appended> {
    const { link } = this.#use;
    const doing: Doing = { store: link.name, what: `append to stream ${stream}`, stream };
    const name = this.#names.onServer(stream);
    const revision = expected === "no-stream" ? "no_stream" : expected;
    return insist(
      {
        timeoutMs: this.#timeoutMs,
        refused: (failure, cause) =>
          failure.kind === "wrong-revision"
            ? wrongExpectedRevision(stream, expected, failure.actual)
            : storeError(failure, doing, cause),
        gaveUp: (failure, sent, cause) =>
          sent
            ? new FetchImageError("FI_APPEND_OUTCOME_UNKNOWN", {
                message: `${link.name}: the answer to an append to stream ${stream} was lost: ${failure.text}`,
                details: { stream },
                cause,
              })
            : storeError(failure, doing, cause),
      },
      async (leftMs) => {
        const { nextExpectedRevision, position } = await link.append(name, revision, events, leftMs);
        if (position === undefined) throw new GivenUp("the answer names no position", { sent: true, broken: false });
        return { revision: nextExpectedRevision, position: positionText(position) };
      },
    );
  }

  #trying<T>(doing: Omit<Doing, "store">, attempt: (leftMs: number) => Promise<T>): Promise<T> {
    const whole = { ...doing, store: this.#use.link.name };
    const fail = (failure: Parameters<typeof storeError>[0], cause: unknown): Error =>
      FetchImageError.is(cause) ? cause : storeError(failure, whole, cause);
    const work = insist(
      { timeoutMs: this.#timeoutMs, refused: fail, gaveUp: (failure, _sent, cause) => fail(failure, cause) },
      attempt,
    );
    return this.#over.orEnd(work);
  }

  /** Gives the append's size in bytes. */
  #assertFits({ stream, facts }: AppendRequest): number {
    if (!this.#names.isOurs(stream)) {
      throw new FetchImageError("FI_APPEND_INVALID", {
        message: `stream ${stream}: without a namespace, only ${ownStreams} are streams of this event log`,
        details: { stream },
      });
    }
    let bytes = 0;
    for (const { data, metadata, type } of facts) {
      bytes += Buffer.byteLength(data) + Buffer.byteLength(metadata) + 2 * type.length;
    }
    if (bytes > largestAppend) {
      throw new FetchImageError("FI_APPEND_INVALID", {
        message: `stream ${stream}: ${bytes} bytes are more than EventStoreDB can store in one append (${largestAppend})`,
        details: { stream },
      });
    }
    return bytes;
  }

  #assertOpen(): void {
    if (this.#over.isOver) throw logClosed();
  }
}
