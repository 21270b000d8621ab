import { join } from "node:path";
import { FetchImageError } from "@fetch-image/core/fetching";

/** A file of an archive that is not as it was written. */
export function damaged(directory: string, file: string, how: string): FetchImageError {
  return new FetchImageError("FI_ARCHIVE_DAMAGED", {
    message: `${join(directory, file)} ${how}`,
    details: { directory, file },
  });
}

/** What the disk refuses, in our words. */
export function archiveError(error: unknown, directory: string): unknown {
  if (FetchImageError.is(error) || !(error instanceof Error) || !("code" in error) || !("syscall" in error))
    return error;
  const { code } = error;
  if (code === "ENOSPC" || code === "EDQUOT") {
    const message = `the disk of the archive ${directory} is full`;
    return new FetchImageError("FI_STORE_FULL", { message, details: { directory }, cause: error });
  }
  return new FetchImageError("FI_ARCHIVE_UNUSABLE", {
    message: `the archive ${directory} cannot be used (${String(code)})`,
    details: { directory },
    cause: error,
  });
}
