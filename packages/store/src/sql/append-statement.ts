import type { AppendRequest } from "../facts/append-request.ts";
import { int4Array, int8Array, jsonArray, textArray, uuidArray } from "./arrays.ts";
import type { SchemaName } from "./schema-name.ts";
import type { SqlParameter, SqlRow } from "./sql.ts";

/** What both functions raise in a transaction that is not READ COMMITTED, before they do anything. */
export const wrongIsolation = "FI001";

export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly parameters: readonly SqlParameter[];
}

export interface OutcomeRow extends SqlRow {
  readonly outcome: "appended" | "already" | "conflict" | "duplicate-id";
  readonly last_revision: string;
  readonly last_position: string;
  readonly duplicate: string;
}

/** One append by itself: the cheapest statement there is, so that a lone append costs no more than a plain insert. */
export function appendOne(schema: SchemaName, { stream, expected, facts }: AppendRequest): Statement {
  return {
    name: `${schema.name}.append_one`,
    text: `select * from ${schema.identifier}.append_one($1, $2, $3, $4, $5, $6)`,
    parameters: [
      stream,
      revisionNumber(expected).toString(),
      uuidArray(facts.map(({ id }) => id)),
      textArray(facts.map(({ type }) => type)),
      jsonArray(facts.map(({ data }) => data)),
      jsonArray(facts.map(({ metadata }) => metadata)),
    ],
  };
}

/** Several appends in one transaction, each with an outcome of its own; rows come in any order, with `append_no` from 1. */
export function appendMany(schema: SchemaName, requests: readonly AppendRequest[]): Statement {
  const streams: string[] = [];
  const revisions: bigint[] = [];
  const facts: AppendRequest["facts"][number][] = [];
  for (const { stream, expected, facts: appended } of requests) {
    let revision = revisionNumber(expected);
    for (const fact of appended) {
      streams.push(stream);
      revisions.push(++revision);
      facts.push(fact);
    }
  }
  return {
    name: `${schema.name}.append_many`,
    text: `select * from ${schema.identifier}.append_many($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    parameters: [
      textArray(requests.map(({ stream }) => stream)),
      int8Array(requests.map(({ expected }) => revisionNumber(expected))),
      int4Array(requests.map(({ facts }) => facts.length)),
      textArray(streams),
      int8Array(revisions),
      uuidArray(facts.map(({ id }) => id)),
      textArray(facts.map(({ type }) => type)),
      jsonArray(facts.map(({ data }) => data)),
      jsonArray(facts.map(({ metadata }) => metadata)),
    ],
  };
}

// No stream comes near this revision, so a conflict stays a conflict and int8 holds what follows.
const highest = 2n ** 62n;

function revisionNumber(expected: AppendRequest["expected"]): bigint {
  if (expected === "no-stream") return -1n;
  return expected > highest ? highest : expected;
}
