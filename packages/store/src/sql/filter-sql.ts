import type { EventFilter } from "@fetch-image/core/fetching";
import { isName } from "../facts/append-request.ts";
import { textArray } from "./arrays.ts";
import type { SqlParameter } from "./sql.ts";

/** The part of a page's statement that a filter decides. */
export interface FilterSql {
  readonly condition: string;
  readonly order: string;
  readonly parameters: readonly SqlParameter[];
}

/** The filter's parameters begin at $3; `sinceRevision` matters to a filter by stream only. */
export function filterSql(filter: EventFilter | undefined, sinceRevision: bigint): FilterSql {
  if (filter === undefined) return { condition: "", order: "e.position", parameters: [] };
  if ("stream" in filter) {
    return {
      condition: "and e.stream = $3 and e.revision > $4",
      // Positions follow revisions within a stream, and these are what the index has.
      order: "e.revision",
      parameters: [isName(filter.stream) ? filter.stream : nobody, sinceRevision.toString()],
    };
  }
  return {
    condition: "and e.stream ^@ any ($3::text[])",
    order: "e.position",
    parameters: [textArray(filter.streamPrefixes.filter((prefix) => prefix === "" || isName(prefix)))],
  };
}

/** What cannot be a stream's name cannot be asked for either: this one has no facts. */
const nobody = "";
