import { type ExpectedRevision, FetchImageError } from "@fetch-image/core/fetching";

/** `actual`: undefined where the stream does not exist. */
export function wrongExpectedRevision(
  stream: string,
  expected: ExpectedRevision,
  actual: bigint | undefined,
): FetchImageError {
  const stands = actual === undefined ? "does not exist" : `stands at revision ${actual}`;
  const wanted = expected === "no-stream" ? "that it does not exist" : `revision ${expected}`;
  return new FetchImageError("FI_WRONG_EXPECTED_REVISION", {
    message: `stream ${stream} ${stands}; the append expected ${wanted}`,
    details: { stream, expected: String(expected), actual: actual === undefined ? "no-stream" : String(actual) },
  });
}

export function duplicateId(stream: string, id: string): FetchImageError {
  return new FetchImageError("FI_APPEND_INVALID", {
    message: `stream ${stream}: the id ${id} stands in the store already, at another place`,
    details: { stream, id },
  });
}

export function logClosed(): FetchImageError {
  return new FetchImageError("FI_STORE_UNAVAILABLE", {
    message: "the event log is closed",
    hint: "Open it again; this log object cannot be used any more.",
    retryable: false,
  });
}
