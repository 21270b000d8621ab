import type { AppendRequest } from "../facts/append-request.ts";
import type { Statement } from "./append-statement.ts";
import { int8Array, jsonArray, textArray, uuidArray } from "./arrays.ts";
import type { SchemaName } from "./schema-name.ts";
import type { SqlRow } from "./sql.ts";

export interface OrderedRow extends SqlRow {
  readonly stored: boolean;
}

/** An append of one fact, and the revision that it gets. */
export interface PlacedRequest {
  readonly revision: bigint;
  readonly request: AppendRequest;
}

/** Facts of many streams, each an append of its own as far as its content goes, stored whole and in this order. */
export function appendInOrder(schema: SchemaName, placed: readonly PlacedRequest[]): Statement {
  const facts = placed.flatMap(({ request, revision }) =>
    request.facts.map((fact) => ({ ...fact, revision, stream: request.stream })),
  );
  return {
    name: `${schema.name}.append_in_order`,
    text: `select ${schema.identifier}.append_in_order($1, $2, $3, $4, $5, $6) as stored`,
    parameters: [
      textArray(facts.map(({ stream }) => stream)),
      int8Array(facts.map(({ revision }) => Number(revision))),
      uuidArray(facts.map(({ id }) => id)),
      textArray(facts.map(({ type }) => type)),
      jsonArray(facts.map(({ data }) => data)),
      jsonArray(facts.map(({ metadata }) => metadata)),
    ],
  };
}
