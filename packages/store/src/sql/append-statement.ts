import { type Elements, int4Array, int8Array, jsonArray, textArray, uuidArray } from "./arrays.ts";
import type { EncodedAppend } from "./encoded-append.ts";
import type { SchemaName } from "./schema-name.ts";
import type { SqlParameter, SqlRow } from "./sql.ts";

/** What the functions raise in a transaction that is not READ COMMITTED, before they do anything. */
export const wrongIsolation = "FI001";

export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly parameters: readonly SqlParameter[];
}

/** What `append_one` says of an append. */
export interface OutcomeRow extends SqlRow {
  readonly outcome: "appended" | "already" | "conflict" | "duplicate-id";
  readonly last_revision: string;
  readonly last_position: string;
  readonly duplicate: string;
}

/** Positions of the facts of all appends that fit, as an array's text, and what became of each other append. */
export interface BatchRow extends SqlRow {
  readonly positions: string | null;
  readonly others: readonly (OutcomeRow & { readonly append_no: number })[] | null;
}

/** One append by itself, and what becomes of it. */
export function appendOne(schema: SchemaName, append: EncodedAppend): Statement {
  const { stream, expected, facts } = append;
  return {
    name: `${schema.name}.append_one`,
    text: `select * from ${schema.identifier}.append_one($1, $2, $3, $4, $5, $6)`,
    parameters: [
      stream,
      revisionNumber(expected).toString(),
      uuidArray(facts.map(({ id }) => id)),
      textArray(facts.map(({ type }) => type)),
      jsonArray([append.data], facts.length),
      jsonArray([append.metadata], facts.length),
    ],
  };
}

/** A fact that was stored. */
export interface StoredRow extends SqlRow {
  readonly position: string;
}

/**
 * Appends to different streams in one transaction and one plain insert: all of them where all fit, and then a row for each
 * fact, in order; else none, and no row. The fewer they are, the more of a batch's cost the function is that takes them by
 * itself.
 */
export function appendFitting(schema: SchemaName, requests: readonly EncodedAppend[]): Statement {
  const { appends, facts } = columnsOf(requests);
  const { identifier } = schema;
  return {
    name: `${schema.name}.append_fitting`,
    text: `insert into ${identifier}.events (stream, revision, event_id, type, data, metadata)
      select unnest($1::text[]), unnest($2::int8[]), unnest($3::uuid[]), unnest($4::text[]), unnest($5::json[]),
        unnest($6::json[])
      where ${identifier}.locked_and_fitting($7, $8) returning position`,
    parameters: [...facts, textArray(appends.streams), int8Array(appends.expected)],
  };
}

/** Several appends in one transaction, each with an outcome of its own. */
export function appendBatch(schema: SchemaName, requests: readonly EncodedAppend[]): Statement {
  const { appends, facts } = columnsOf(requests);
  return {
    name: `${schema.name}.append_batch`,
    text: `select b.positions::text, b.others
      from ${schema.identifier}.append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) b`,
    parameters: [
      textArray(appends.streams),
      int8Array(appends.expected),
      int4Array(appends.counts),
      haveRepeatedStreams(requests),
      ...facts,
    ],
  };
}

/** Whether two of them are of one stream. */
export function haveRepeatedStreams(requests: readonly EncodedAppend[]): boolean {
  return new Set(requests.map(({ stream }) => stream)).size < requests.length;
}

interface Columns {
  /** Of each append its stream, the revision it expects, how many facts it has. */
  readonly appends: {
    readonly streams: readonly string[];
    readonly expected: readonly number[];
    readonly counts: readonly number[];
  };
  /** Of each fact, as parameters, its stream and revision, id, type, data, metadata. */
  readonly facts: readonly SqlParameter[];
}

export function columnsOf(requests: readonly EncodedAppend[]): Columns {
  const appends = { streams: [] as string[], expected: [] as number[], counts: [] as number[] };
  const streams: string[] = [];
  const revisions: number[] = [];
  const ids: string[] = [];
  const types: string[] = [];
  const datas: Elements[] = [];
  const metadatas: Elements[] = [];
  for (const { stream, expected, facts, data, metadata } of requests) {
    datas.push(data);
    metadatas.push(metadata);
    let revision = revisionNumber(expected);
    appends.streams.push(stream);
    appends.expected.push(revision);
    appends.counts.push(facts.length);
    for (const { id, type } of facts) {
      streams.push(stream);
      revisions.push(++revision);
      ids.push(id);
      types.push(type);
    }
  }
  const facts: readonly SqlParameter[] = [
    textArray(streams),
    int8Array(revisions),
    uuidArray(ids),
    textArray(types),
    jsonArray(datas, ids.length),
    jsonArray(metadatas, ids.length),
  ];
  return { appends, facts };
}

/** Of an append that fits, the revision of its last fact. */
export function lastRevision({ expected, facts }: EncodedAppend): bigint {
  return (expected === "no-stream" ? -1n : expected) + BigInt(facts.length);
}

// No stream comes near this revision, so a conflict stays a conflict, and what follows is a number all the same.
const highest = 2n ** 52n;

function revisionNumber(expected: EncodedAppend["expected"]): number {
  if (expected === "no-stream") return -1;
  return Number(expected > highest ? highest : expected);
}
