import type {
  Appended,
  ExpectedRevision,
  NewFact,
  Page,
  Position,
  ReadAllOptions,
  ReadOptions,
  RecordedFact,
  SubscribeOptions,
  SubscriptionMessage,
} from "@fetch-image/core/fetching";
import { isName } from "../facts/append-request.ts";
import { logClosed } from "../facts/errors.ts";
import { follow } from "../facts/follow.ts";
import type { OrderedEventLog, PlacedFact } from "../facts/ordered-appends.ts";
import { positionNumber } from "../facts/position.ts";
import { again } from "./again.ts";
import { Appends } from "./appends.ts";
import { int8Array, textArray } from "./arrays.ts";
import { type EncodedAppend, encodedAppend } from "./encoded-append.ts";
import { appendError, storeError } from "./errors.ts";
import { asFact, factColumns, type FactRow, type PageRow } from "./fact-rows.ts";
import { filterSql } from "./filter-sql.ts";
import { migrateOnce } from "./migrate.ts";
import { ReadBatch, type StreamRead } from "./read-batch.ts";
import { schemaName, type SchemaName } from "./schema-name.ts";
import type { Sql, SqlParameter, SqlResult, SqlRow } from "./sql.ts";
import { Tail } from "./tail.ts";

export interface SqlEventLogOptions {
  readonly sql: Sql;
  /** Default: `fetch_image`. */
  readonly schema?: string;
  /** How often subscriptions look for new facts where no NOTIFY came, in milliseconds. Default: 500. */
  readonly pollMs?: number;
  /** Whether `close` closes `sql` too. */
  readonly ownsSql: boolean;
}

/** So many facts of a stream are no longer a few. */
const few = 256;

/** How many facts one page of a subscription holds. */
const pageSize = 512;

/**
 * An event log in PostgreSQL, on any driver. The schema is made or brought up to date before the first use.
 */
export class SqlEventLog implements OrderedEventLog {
  readonly #sql: Sql;
  readonly #schema: SchemaName;
  readonly #ownsSql: boolean;
  readonly #appends: Appends;
  readonly #reads: ReadBatch<RecordedFact>;
  readonly #tail: Tail;
  #closing: Promise<void> | undefined;

  constructor(options: SqlEventLogOptions) {
    this.#sql = options.sql;
    this.#schema = schemaName(options.schema);
    this.#ownsSql = options.ownsSql;
    this.#tail = new Tail({
      sql: options.sql,
      channel: this.#schema.channel,
      pollMs: options.pollMs ?? 500,
      head: () => this.#head(),
    });
    this.#reads = new ReadBatch((reads) => this.#readStreams(reads));
    this.#appends = new Appends(options.sql, this.#schema);
  }

  append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    let request: EncodedAppend;
    try {
      this.#assertOpen();
      request = encodedAppend(stream, expected, facts);
    } catch (error) {
      return Promise.reject(appendError(error, this.#sql.name, `stream ${stream}`));
    }
    return this.#appends.add(request);
  }

  async appendInOrder(facts: readonly PlacedFact[]): Promise<"stored" | "refused"> {
    this.#assertOpen();
    const requests = facts.map((fact) =>
      encodedAppend(fact.stream, fact.revision === 0n ? "no-stream" : fact.revision - 1n, [fact]),
    );
    try {
      return await this.#appends.inOrder(requests);
    } catch (error) {
      throw appendError(error, this.#sql.name, `${facts.length} facts of many streams`);
    }
  }

  read(stream: string, options: ReadOptions = {}): Promise<readonly RecordedFact[]> {
    if (this.#closing !== undefined) return Promise.reject(logClosed());
    const { from, direction = "forwards", limit } = options;
    // No such stream can have been appended to, and PostgreSQL would refuse the very question.
    if (!isName(stream) || (limit !== undefined && limit <= 0)) return Promise.resolve([]);
    if (limit !== undefined || direction === "backwards") return this.#readSome(stream, options);
    return this.#reads.read({ stream, from: clamped(from ?? 0n) });
  }

  async #readSome(
    stream: string,
    { from, direction = "forwards", limit }: ReadOptions,
  ): Promise<readonly RecordedFact[]> {
    if (limit !== undefined && direction === "forwards") {
      const page = await this.#range(stream, clamped(from ?? 0n), Math.trunc(limit));
      if (page.length > 0) return page.map(asFact);
    }
    const [compare, order] = direction === "forwards" ? [">=", "asc"] : ["<=", "desc"];
    const { rows } = await this.#query<FactRow>(
      `read stream ${stream}`,
      `select ${factColumns} from ${this.#schema.identifier}.events e
       where e.stream = $1 ${from === undefined ? "" : `and e.revision ${compare} $3`}
       order by e.revision ${order} limit $2`,
      [
        stream,
        limit === undefined ? null : Math.trunc(limit),
        ...(from === undefined ? [] : [clamped(from).toString()]),
      ],
    );
    return rows.map(asFact);
  }

  /**
   * A stream has no gaps, so its next facts are a range of revisions. Asked for as one, they are read by the index however
   * little PostgreSQL knows of the table; an embedded one never learns, and would sort all that is left of a long stream.
   */
  async #range(stream: string, from: bigint, limit: number): Promise<readonly FactRow[]> {
    const { rows } = await this.#query<FactRow>(
      `read stream ${stream}`,
      `select ${factColumns} from ${this.#schema.identifier}.events e
       where e.stream = $1 and e.revision >= $2 and e.revision < $3 order by e.revision`,
      [stream, from.toString(), clamped(from + BigInt(limit)).toString()],
    );
    return rows;
  }

  async readAll(options: ReadAllOptions): Promise<Page> {
    return this.#page(options, -1n);
  }

  subscribe(options: SubscribeOptions): AsyncIterable<SubscriptionMessage> {
    // A stream's facts are found by revision, so that following a long one does not read it from its start each time.
    let last = -1n;
    return follow(options, {
      page: async (after) => {
        const page = await this.#page({ ...options, ...(after === undefined ? {} : { after }), limit: pageSize }, last);
        last = page.facts.at(-1)?.revision ?? last;
        return page;
      },
      mark: () => this.#tail.mark,
      changed: (mark, next, signal) => this.#tail.changed(mark, next, signal),
      ended: () => (this.#closing === undefined ? undefined : logClosed()),
    });
  }

  /** Resolves when what was appended before has been answered. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#appends.idle();
    await this.#tail.close();
    if (this.#ownsSql) await this.#sql.close();
  }

  async #readStreams(reads: readonly StreamRead[]): Promise<readonly (readonly RecordedFact[])[]> {
    const [first, second] = reads;
    if (first !== undefined && second === undefined) return [await this.#readStream(first)];
    // `offset 0` keeps the streams' reads apart, each by the index. As one join they would be planned from the statistics
    // of a table that grows faster than it is analyzed, and read all of it.
    const { rows } = await this.#query<FactRow & { readonly read_no: string }>(
      `read ${reads.length} streams`,
      `select r.read_no, ${factColumns} from unnest($1::text[], $2::int8[]) with ordinality as r (stream, first, read_no)
       cross join lateral (
         select * from ${this.#schema.identifier}.events e where e.stream = r.stream and e.revision >= r.first
         order by e.revision offset 0
       ) e order by r.read_no, e.revision`,
      [textArray(reads.map(({ stream }) => stream)), int8Array(reads.map(({ from }) => Number(from)))],
    );
    const byRead: RecordedFact[][] = reads.map(() => []);
    for (const row of rows) byRead[Number(row.read_no) - 1]?.push(asFact(row));
    return byRead;
  }

  /** As a rule it is little or nothing: that is read by a plan that is kept. More is read anew, all of one moment. */
  async #readStream({ stream, from }: StreamRead): Promise<readonly RecordedFact[]> {
    const doing = `read stream ${stream}`;
    const { name, identifier } = this.#schema;
    const parameters = [stream, from.toString()];
    const some = await this.#query<FactRow>(
      doing,
      `select ${factColumns} from ${identifier}.read_some($1, $2, ${few}) e`,
      parameters,
      `${name}.read_some`,
    );
    if (some.rows.length < few) return some.rows.map(asFact);
    const all = await this.#query<FactRow>(
      doing,
      `select ${factColumns} from ${identifier}.events e where e.stream = $1 and e.revision >= $2 order by e.revision`,
      parameters,
    );
    return all.rows.map(asFact);
  }

  async #page(options: ReadAllOptions, sinceRevision: bigint): Promise<Page> {
    this.#assertOpen();
    const after = positionNumber(options.after);
    const limit = Math.max(0, Math.trunc(options.limit));
    const { condition, order, parameters } = filterSql(options.filter, sinceRevision);
    // Head and facts in one statement, so that both are of one moment.
    const { rows } = await this.#query<PageRow>(
      "read the event log",
      `select h.head, ${factColumns}
       from (select max(e.position) as head from ${this.#schema.identifier}.events e) h
       left join lateral (
         select * from ${this.#schema.identifier}.events e
         where e.position > $1 ${condition} order by ${order} limit $2
       ) e on true
       order by e.position`,
      [after.toString(), limit, ...parameters],
    );
    const facts = rows.filter((row) => row.position !== null).map(asFact);
    const head = rows[0]?.head ?? undefined;
    const full = facts.length === limit;
    const next = full ? (facts.at(-1)?.position ?? options.after) : later(options.after, head);
    return { facts, next, end: positionNumber(next) >= positionNumber(head) };
  }

  async #head(): Promise<Position | undefined> {
    const { rows } = await this.#query<{ readonly head: string | null }>(
      "look for new facts",
      `select max(e.position) as head from ${this.#schema.identifier}.events e`,
    );
    return rows[0]?.head ?? undefined;
  }

  // Not prepared without a name: a plan kept from when the table was small would read all of it when it is large.
  async #query<Row extends SqlRow>(
    doing: string,
    text: string,
    parameters: readonly SqlParameter[] = [],
    name?: string,
  ): Promise<SqlResult<Row>> {
    try {
      await migrateOnce(this.#sql, this.#schema.name);
      return await again(() => this.#sql.query<Row>(text, parameters, name === undefined ? {} : { name }));
    } catch (error) {
      throw storeError(error, this.#sql.name, doing);
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw logClosed();
  }
}

function later(after: Position | undefined, head: string | undefined): Position | undefined {
  return positionNumber(head) > positionNumber(after) ? head : after;
}

function clamped(revision: bigint): bigint {
  const bound = 2n ** 52n;
  return revision > bound ? bound : revision < -bound ? -bound : revision;
}
