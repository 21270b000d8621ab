import { FetchImageError, type JsonObject, type RecordedFact } from "@fetch-image/core/fetching";
import type { ResolvedEvent } from "@eventstore/db-client";
import { type LogPosition, positionText } from "./position.ts";

type RecordedEvent = NonNullable<ResolvedEvent["event"]>;

/** A stored event's place. Servers before 22.6 give none when a stream is read. */
export function placeOf(event: RecordedEvent): LogPosition {
  const { position } = event;
  if (position === undefined || position.commit > 2n ** 63n - 1n) {
    throw new FetchImageError("FI_STORE_UNAVAILABLE", {
      message: "the EventStoreDB server does not say where in its log an event stands",
      hint: "Upgrade it to 23.10 or newer.",
      retryable: false,
    });
  }
  return position;
}

/** The fact in a stored event. Rejects with `FI_FACT_UNREADABLE` where somebody else wrote it, and not as JSON objects. */
export function asFact(event: RecordedEvent, stream: string): RecordedFact {
  const { id, type, revision, data, metadata = {} } = event;
  if (!event.isJson || !isObject(data) || !isObject(metadata)) {
    throw new FetchImageError("FI_FACT_UNREADABLE", {
      message: `stream ${stream}, revision ${revision} (${type}): data and metadata are not JSON objects`,
      details: { stream, revision: String(revision), type },
    });
  }
  return { id, type, data, metadata, stream, revision, position: positionText(placeOf(event)) };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}
