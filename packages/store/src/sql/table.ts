import { toText } from "../facts/text.ts";
import type { SqlRow } from "./sql.ts";

/** How a field is kept: as text, as JSON, as a time in milliseconds, as int8, or as int4. */
export type ColumnKind = "text" | "json" | "time" | "bigint" | "number";

/** One table of the read model, whose columns are the fields of the port's row in snake case. */
export interface Table<Row extends object> {
  /** `select … from … t`, times as they were given, ISO 8601 in UTC. */
  select(schema: string): string;
  /** Rows as the JSON that `apply_changes` takes; a json column goes as its text, so that any text may stand in it. */
  toJson(rows: readonly Row[]): string;
  /** The port's row, without the fields that are null. */
  fromRow(row: SqlRow): Row;
}

/** Every field of the row needs its kind: one that is added to the port does not compile here until it has a column. */
export function table<Row extends object>(
  name: string,
  kinds: { readonly [Field in keyof Row]-?: ColumnKind },
): Table<Row> {
  const columns = Object.entries<ColumnKind>(kinds).map(([field, kind]) => ({ field, kind, column: snakeCase(field) }));
  const list = columns.map(({ column, kind }) => (kind === "time" ? asIsoTime(column) : `t.${column}`)).join(", ");
  return {
    select: (schema) => `select ${list} from ${schema}.${name} t`,
    toJson: (rows) =>
      JSON.stringify(
        rows.map((row) => {
          const fields = new Map<string, unknown>(Object.entries(row));
          const given = columns.filter(({ field }) => fields.get(field) !== undefined);
          return Object.fromEntries(given.map(({ field, kind, column }) => [column, encode(kind, fields.get(field))]));
        }),
      ),
    fromRow: (row) => {
      const given = columns.filter(({ column }) => row[column] !== null && row[column] !== undefined);
      const entries: unknown[][] = given.map(({ field, kind, column }) => [field, decode(kind, row[column])]);
      return Object.fromEntries(entries);
    },
  };
}

function encode(kind: ColumnKind, value: unknown): string {
  if (kind === "bigint" || kind === "number") return String(value);
  return kind === "json" || typeof value !== "string" ? JSON.stringify(value) : toText(value);
}

function decode(kind: ColumnKind, value: unknown): unknown {
  return kind === "bigint" && typeof value === "string" ? BigInt(value) : value;
}

function asIsoTime(column: string): string {
  return `to_char(t.${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as ${column}`;
}

// imageURL is image_url.
function snakeCase(field: string): string {
  return field.replaceAll(/[A-Z]+/g, (capitals) => `_${capitals.toLowerCase()}`);
}
