import { columnsOf, type Statement } from "./append-statement.ts";
import type { EncodedAppend } from "./encoded-append.ts";
import type { SchemaName } from "./schema-name.ts";
import type { SqlRow } from "./sql.ts";

export interface OrderedRow extends SqlRow {
  readonly stored: boolean;
}

/** Facts of many streams, each an append of its own as far as its content goes, stored whole and in this order. */
export function appendInOrder(schema: SchemaName, requests: readonly EncodedAppend[]): Statement {
  return {
    name: `${schema.name}.append_in_order`,
    text: `select ${schema.identifier}.append_in_order($1, $2, $3, $4, $5, $6) as stored`,
    parameters: columnsOf(requests).facts,
  };
}
