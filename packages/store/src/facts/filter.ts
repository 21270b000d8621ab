import type { EventFilter } from "@fetch-image/core/fetching";

/** Whether a stream's facts pass; everything does where there is no filter. */
export function passes(filter: EventFilter | undefined, stream: string): boolean {
  if (filter === undefined) return true;
  return "stream" in filter
    ? filter.stream === stream
    : filter.streamPrefixes.some((prefix) => stream.startsWith(prefix));
}
