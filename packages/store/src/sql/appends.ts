import type { Appended } from "@fetch-image/core/fetching";
import { duplicateId, wrongExpectedRevision } from "../facts/errors.ts";
import { again } from "./again.ts";
import { appendInOrder, type OrderedRow } from "./append-in-order.ts";
import {
  appendBatch,
  appendFitting,
  appendOne,
  type BatchRow,
  haveRepeatedStreams,
  lastRevision,
  type OutcomeRow,
  type Statement,
  type StoredRow,
  wrongIsolation,
} from "./append-statement.ts";
import type { EncodedAppend } from "./encoded-append.ts";
import { appendError, isAboutTheData, tooManyWait } from "./errors.ts";
import { GroupCommit } from "./group-commit.ts";
import { migrateOnce } from "./migrate.ts";
import type { SchemaName } from "./schema-name.ts";
import { type Sql, SqlError, type SqlQueries, type SqlResult, type SqlRow } from "./sql.ts";

/** So many appends at most are a plain insert: of more, what it saves is too little to count. */
const few = 16;

/**
 * What is appended to the log. Appends that wait at the same time are committed many together, one transaction after another
 * (`GroupCommit`), each succeeding or failing by itself. A few, as a rule all of which fit, are a plain insert.
 */
export class Appends {
  readonly #sql: Sql;
  readonly #schema: SchemaName;
  readonly #waiting: GroupCommit<EncodedAppend, Appended>;
  #begins = false;

  constructor(sql: Sql, schema: SchemaName) {
    this.#sql = sql;
    this.#schema = schema;
    this.#waiting = new GroupCommit<EncodedAppend, Appended>({
      maxItems: 128,
      maxSize: 8 * 1024 * 1024,
      sizeOf: ({ size }) => size,
      keyOf: ({ stream }) => stream,
      flush: (requests) => this.#flush(requests),
      failed: (error, { stream }) => appendError(error, sql.name, `stream ${stream}`),
      isOneItemsFault: isAboutTheData,
      bound: { items: 50_000, size: 256 * 1024 * 1024, full: (waiting) => tooManyWait(sql.name, waiting) },
      elsewhere: sql.isInThread !== true,
      atOnce: () => (sql.queryInLine === undefined || this.#begins ? 1 : 2),
    });
  }

  add(request: EncodedAppend): Promise<Appended> {
    return this.#waiting.add(request);
  }

  async inOrder(requests: readonly EncodedAppend[]): Promise<"stored" | "refused"> {
    await this.#prepare();
    const { rows } = await this.#send<OrderedRow>(appendInOrder(this.#schema, requests));
    return rows[0]?.stored === true ? "stored" : "refused";
  }

  /** Resolves when everything that was added has been answered. */
  idle(): Promise<void> {
    return this.#waiting.idle();
  }

  async #flush(requests: readonly EncodedAppend[]): Promise<readonly (Appended | Error)[]> {
    await this.#prepare();
    const fitting = await this.#flushFitting(requests);
    if (fitting !== undefined) return fitting;
    const [first, second] = requests;
    if (first === undefined || second !== undefined) return this.#flushBatch(requests);
    const { rows } = await this.#send<OutcomeRow>(appendOne(this.#schema, first));
    const [row] = rows;
    if (row === undefined) throw unanswered(requests);
    return [asOutcome(first, row)];
  }

  /** Undefined where not all of them fit, and nothing was stored, and where they are many. */
  async #flushFitting(requests: readonly EncodedAppend[]): Promise<readonly Appended[] | undefined> {
    if (requests.length > few || haveRepeatedStreams(requests)) return undefined;
    let rows: readonly StoredRow[];
    try {
      ({ rows } = await this.#send<StoredRow>(appendFitting(this.#schema, requests)));
    } catch (error) {
      // An id that stands already, say: what it is, is told of one that is alone.
      if (requests.length === 1 && isAboutTheData(error)) return undefined;
      throw error;
    }
    if (rows.length === 0) return undefined;
    let count = 0;
    return requests.map((request) => {
      count += request.facts.length;
      const position = rows[count - 1]?.position;
      if (position === undefined) throw unanswered(requests);
      return { revision: lastRevision(request), position };
    });
  }

  async #flushBatch(requests: readonly EncodedAppend[]): Promise<readonly (Appended | Error)[]> {
    const { rows } = await this.#send<BatchRow>(appendBatch(this.#schema, requests));
    const [answer] = rows;
    if (answer === undefined) throw unanswered(requests);
    const outcomes: (Appended | Error)[] = [];
    for (const row of answer.others ?? []) {
      const request = requests[row.append_no - 1];
      if (request !== undefined) outcomes[row.append_no - 1] = asOutcome(request, row);
    }
    // `{1,2,3}`: those of the facts of all appends that fit, in order.
    const positions = answer.positions?.slice(1, -1).split(",") ?? [];
    let count = 0;
    for (let index = 0; index < requests.length; index++) {
      const request = requests[index];
      if (request === undefined || outcomes[index] !== undefined) continue;
      count += request.facts.length;
      const position = positions[count - 1];
      if (position === undefined) throw unanswered(requests);
      outcomes[index] = { revision: lastRevision(request), position };
    }
    return outcomes;
  }

  async #prepare(): Promise<void> {
    await migrateOnce(this.#sql, this.#schema.name);
    await this.#sql.checkRoom?.();
  }

  // A transaction of its own costs two round trips more, and is needed only where the database's default isolation level
  // is another than PostgreSQL's.
  #send<Row extends SqlRow>({ text, parameters, name }: Statement): Promise<SqlResult<Row>> {
    const send = (queries: SqlQueries): Promise<SqlResult<Row>> => queries.query(text, parameters, { name });
    return again(async () => {
      if (this.#begins) return this.#sql.transaction(send);
      try {
        if (this.#sql.queryInLine === undefined) return await send(this.#sql);
        return await this.#sql.queryInLine<Row>(text, parameters, { name });
      } catch (error) {
        if (!(error instanceof SqlError) || error.sqlState !== wrongIsolation) throw error;
        this.#begins = true;
        return this.#sql.transaction(send);
      }
    });
  }
}

function asOutcome({ stream, expected }: EncodedAppend, row: OutcomeRow): Appended | Error {
  if (row.outcome === "duplicate-id") return duplicateId(stream, row.duplicate);
  const revision = BigInt(row.last_revision);
  if (row.outcome !== "conflict") return { revision, position: row.last_position };
  return wrongExpectedRevision(stream, expected, revision < 0n ? undefined : revision);
}

function unanswered(requests: readonly EncodedAppend[]): SqlError {
  return new SqlError("lost", `${requests.length} appends were not all answered`);
}
