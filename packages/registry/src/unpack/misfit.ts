import { FetchImageError } from "@fetch-image/core/registry-image";
import { shown } from "./byte-text.ts";
import type { Complaints } from "./complaints.ts";
import type { UnpackLimits } from "./limits.ts";

/** Why an entry cannot be applied, thrown where its name is not known; `asComplaint` tells it to the caller. */
export class Misfit extends Error {
  readonly bound: keyof UnpackLimits | undefined;

  /** @param what names in it are bytes, as everywhere here */
  constructor(what: string, bound?: keyof UnpackLimits) {
    super(what);
    this.bound = bound;
  }
}

/** The error of a system call, or a {@link Misfit}, as the one that the caller sees. */
export function asComplaint(error: unknown, { complaints, limits, directory, entry }: Context): FetchImageError {
  if (FetchImageError.is(error)) return error;
  if (error instanceof Misfit) {
    const { bound, message } = error;
    return bound === undefined
      ? complaints.invalid(message, entry, error)
      : complaints.tooLarge(message, bound, limits[bound], entry);
  }
  const code = String((error as { code?: unknown } | null)?.code);
  if (code === "ENAMETOOLONG")
    return complaints.tooLarge("its path is too long here", "pathBytes", limits.pathBytes, entry);
  const odd = contradictions[code];
  if (odd !== undefined) return complaints.invalid(`${odd} (${code})`, entry, error);
  const of = entry === undefined ? "" : `, at entry ${shown(entry)}`;
  return new FetchImageError("FI_DESTINATION_UNUSABLE", {
    message: `${directory} cannot be unpacked into (${code})${of}`,
    details: { directory, code },
    // A full disk may be freed.
    retryable: code === "ENOSPC" || code === "EDQUOT",
    cause: error,
  });
}

export interface Context {
  readonly complaints: Complaints;
  readonly limits: UnpackLimits;
  /** For the message. */
  readonly directory: string;
  readonly entry?: string;
}

// The disk knows a name that the tree does not, or the other way round.
const differs = "this file system takes its name for another's; on one that tells them apart it would unpack";
const contradictions: { readonly [code: string]: string } = {
  EEXIST: differs,
  ENOENT: differs,
  ENOTDIR: differs,
  EISDIR: differs,
  ENOTEMPTY: differs,
  ELOOP: differs,
  EILSEQ: "this file system cannot have its name",
  EMLINK: "it is one hard link too many for this file system",
};
