import { FetchImageError, type Json, type RecordedFact } from "@fetch-image/core/fetching";

/** The target holds something that the source has not, or has otherwise. `here`: undefined where the source has no more. */
export function differs(here: RecordedFact | undefined, there: RecordedFact): FetchImageError {
  const place = `stream ${there.stream}, revision ${there.revision} (${there.type}, id ${there.id})`;
  return new FetchImageError("FI_STORES_DIFFER", {
    message: `the target holds other facts than the source: ${place} ${how(here, there)}`,
    details: {
      stream: there.stream,
      revision: String(there.revision),
      id: there.id,
      ...(here === undefined ? {} : { source: { stream: here.stream, revision: String(here.revision), id: here.id } }),
    },
  });
}

function how(here: RecordedFact | undefined, there: RecordedFact): string {
  if (here === undefined) return "stands where the source has no more facts";
  if (here.stream !== there.stream || here.revision !== there.revision || here.id !== there.id) {
    return `stands where the source has stream ${here.stream}, revision ${here.revision} (${here.type}, id ${here.id})`;
  }
  if (here.type !== there.type) return `is of type ${here.type} in the source`;
  const part = same(here.data, there.data) ? "metadata" : "data";
  return `has other ${part} in the source`;
}

function same(one: Json, other: Json): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
