import { FetchImageError, type FetchImageErrorCode } from "@fetch-image/core/fetching";
import type { Failure } from "./failures.ts";

/** What could not be done, and where, for messages: "read stream build-1". */
export interface Doing {
  readonly store: string;
  readonly what: string;
  readonly stream?: string;
}

/** What a failed call is to its caller. An append whose outcome is not known is said so before it comes here. */
export function storeError(failure: Failure, { store, what, stream }: Doing, cause?: unknown): FetchImageError {
  const make = (code: FetchImageErrorCode, why: string, more: { hint?: string; retryable?: boolean } = {}) =>
    new FetchImageError(code, {
      message: `${store}: could not ${what}: ${why}`,
      details: { stream },
      ...more,
      cause,
    });
  switch (failure.kind) {
    case "passing":
      return make("FI_STORE_UNAVAILABLE", failure.text);
    case "denied":
      return make("FI_STORE_UNAVAILABLE", `access denied (${failure.text})`, {
        hint:
          "Check user and password in the connection string. Reading and following all streams needs the right to " +
          "read $all, which only administrators have unless the server's default access control says otherwise.",
        retryable: false,
      });
    case "deleted":
      return make("FI_STREAM_DELETED", "somebody has tombstoned it");
    case "too-large":
      return make("FI_APPEND_INVALID", `the server takes at most ${failure.largest} bytes in one append`, {
        hint: "Raise the server's --max-append-size (at most 16 MiB).",
      });
    case "defect":
      return make("FI_INTERNAL", failure.error.message);
    default:
      // Whoever asks for something that can fail so deals with it.
      return make("FI_INTERNAL", failure.kind);
  }
}
