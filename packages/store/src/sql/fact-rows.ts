import type { RecordedFact } from "@fetch-image/core/fetching";
import type { SqlRow } from "./sql.ts";

/** What to select of a fact, from `events e`. */
export const factColumns = "e.stream, e.revision, e.position, e.event_id, e.type, e.data, e.metadata";

export interface FactRow extends SqlRow {
  readonly stream: string;
  readonly revision: string;
  readonly position: string;
  readonly event_id: string;
  readonly type: string;
  readonly data: RecordedFact["data"];
  readonly metadata: RecordedFact["metadata"];
}

/** A fact beside the log's last position; every column of the fact is null where there is none. */
export type PageRow = FactRow & { readonly head: string | null };

export function asFact(row: FactRow): RecordedFact {
  return {
    id: row.event_id,
    type: row.type,
    data: row.data,
    metadata: row.metadata,
    stream: row.stream,
    revision: BigInt(row.revision),
    position: row.position,
  };
}
