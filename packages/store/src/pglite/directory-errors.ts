import { FetchImageError } from "@fetch-image/core/fetching";

/** What an operating system's error on a data directory is to the user. */
export function directoryError(error: unknown, directory: string): FetchImageError {
  if (FetchImageError.is(error)) return error;
  const { code, errno, message } = fieldsOf(error);
  const why = typeof message === "string" && message !== "" ? message : `error ${String(errno ?? error)}`;
  // Numbers as WASI has them: PGlite's file system gives nothing else.
  if (code === "ENOSPC" || code === "EDQUOT" || code === "53100" || errno === 51 || errno === 19) {
    return new FetchImageError("FI_STORE_FULL", { message: `${directory}: the disk is full (${why})`, cause: error });
  }
  return new FetchImageError("FI_STORE_UNREADABLE", {
    message: `the data directory ${directory} cannot be opened: ${why}`,
    cause: error,
  });
}

export function codeOf(error: unknown): unknown {
  return fieldsOf(error).code;
}

function fieldsOf(error: unknown): { readonly [field in "code" | "errno" | "message"]?: unknown } {
  return typeof error === "object" && error !== null ? error : {};
}
