import type { ConcourseEvent } from "./events.ts";
import { goJson } from "./go-json.ts";

/**
 * One event in the stream, to the byte as Concourse's API sends it. The event's id stands there twice, as the stream's
 * own id and as a text in the JSON: readers take the one or the other.
 */
export function sseEvent({ id, event, version, data }: ConcourseEvent): string {
  const json = goJson({ data, event, version, event_id: String(id) });
  return `id: ${id}\nevent: event\ndata: ${json}\n\n`;
}

/** The end of a stream whose build has ended. Without the bare `data` no reader would see it. */
export function sseEnd(id: number): string {
  return `id: ${id}\nevent: end\ndata\n\n`;
}
