import { FetchImageError, type FetchImageErrorCode } from "@fetch-image/core/fetching";
import { SqlError } from "./sql.ts";

/** What a failed read, or a write that is safe to repeat, is to its caller. `doing` completes "…: could not". */
export function storeError(error: unknown, store: string, doing: string): FetchImageError {
  if (FetchImageError.is(error)) return error;
  if (!(error instanceof SqlError)) return defect(error, store, doing);
  if (error.kind !== "answered" || isPassing(error)) return asUnavailable(error, store, doing);
  return defect(error, store, doing);
}

/** What a failed append is to its caller: whether the facts may have been stored decides. */
export function appendError(error: unknown, store: string, streams: string): FetchImageError {
  if (error instanceof SqlError && error.kind === "lost") {
    return new FetchImageError("FI_APPEND_OUTCOME_UNKNOWN", {
      message: `${store}: the answer to an append to ${streams} was lost: ${error.message}`,
      cause: error,
    });
  }
  if (error instanceof SqlError && error.kind === "answered" && isAboutTheData(error)) {
    return new FetchImageError("FI_APPEND_INVALID", {
      message: `${store} refused an append to ${streams}: ${error.message}`,
      cause: error,
    });
  }
  return storeError(error, store, `append to ${streams}`);
}

/** Where as many appends of one process wait as may. Nothing was stored: whoever appends tries again. */
export function tooManyWait(store: string, waiting: number): FetchImageError {
  return new FetchImageError("FI_STORE_UNAVAILABLE", {
    message: `${store}: ${waiting} appends wait to be stored, and no more may`,
    hint: "Check why the database is slow; lower maxFetches of the engine's settings if it cannot be faster.",
  });
}

/** Whether the statement's own values were the reason, so that others in the same batch may well succeed. */
export function isAboutTheData(error: unknown): boolean {
  return error instanceof SqlError && error.kind === "answered" && /^(?:21|22|23|54)/.test(error.sqlState ?? "");
}

/** Whether the server gave the statement up for the sake of another one, and it may be done again at once. */
export function isWorthRepeating(error: unknown): boolean {
  return error instanceof SqlError && error.kind === "answered" && /^(?:40001|40P01)$/.test(error.sqlState ?? "");
}

// 08 connection, 25 transaction state, 40 rollback, 53 resources, 55 not in state, 57 operator, 58 I/O.
function isPassing(error: SqlError): boolean {
  return /^(?:08|25|40|53|55|57|58)/.test(error.sqlState ?? "");
}

function asUnavailable(error: SqlError, store: string, doing: string): FetchImageError {
  const code: FetchImageErrorCode = error.sqlState === "53100" ? "FI_STORE_FULL" : "FI_STORE_UNAVAILABLE";
  const hint = hints[error.sqlState ?? ""];
  return new FetchImageError(code, {
    message: `${store}: could not ${doing}: ${error.message}`,
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

const hints: { readonly [sqlState: string]: string } = {
  "28P01": "Check the user name and password of the database URL.",
  "28000": "Check the user of the database URL, and the server's pg_hba.conf.",
  "3D000": "Create the database, or correct its name in the database URL.",
  "42501":
    "Grant the user the right to create a schema in the database, or create it beforehand and make the user its owner.",
  "25006":
    "The server takes no writes: the database URL must lead to the primary, and the database must not be read-only.",
  "53300": "The server has too many connections: lower the number of clients or raise max_connections.",
};

function defect(error: unknown, store: string, doing: string): FetchImageError {
  const sqlState = error instanceof SqlError ? error.sqlState : undefined;
  const hint = hints[sqlState ?? ""];
  return new FetchImageError(hint === undefined ? "FI_INTERNAL" : "FI_STORE_UNAVAILABLE", {
    message: `${store}: could not ${doing}: ${error instanceof Error ? error.message : String(error)}`,
    ...(hint === undefined ? {} : { hint, retryable: false }),
    details: { sqlState },
    cause: error,
  });
}
