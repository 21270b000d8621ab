import { FetchImageError } from "@fetch-image/core/registry-image";
import { shown } from "./byte-text.ts";
import type { UnpackLimits } from "./limits.ts";

/** Makes the errors of one archive; every message names it, and the entry where there is one. */
export interface Complaints {
  /** The archive, as messages name it. */
  readonly subject: string;
  /** `FI_LAYER_INVALID`. `entry` is a name of bytes, see byte-text.ts. */
  invalid(what: string, entry?: string, cause?: unknown): FetchImageError;
  /** `FI_LAYER_TOO_LARGE`, naming the bound. */
  tooLarge(what: string, bound: keyof UnpackLimits, limit: number, entry?: string): FetchImageError;
}

/** @param subject such as `layer 2 of 7 (sha256:…)` */
export function createComplaints(
  subject: string,
  details: { readonly [key: string]: string | number } = {},
): Complaints {
  const naming = (entry: string | undefined, what: string): string =>
    entry === undefined ? `${subject}: ${what}` : `${subject}, entry ${shown(entry)}: ${what}`;
  const placed = (entry: string | undefined): { readonly [key: string]: string | number } =>
    entry === undefined ? details : { ...details, entry: shown(entry) };
  return {
    subject,
    invalid: (what, entry, cause) =>
      new FetchImageError("FI_LAYER_INVALID", { message: naming(entry, what), details: placed(entry), cause }),
    tooLarge: (what, bound, limit, entry) =>
      new FetchImageError("FI_LAYER_TOO_LARGE", {
        message: `${naming(entry, what)}, past the bound \`${bound}\` of ${limit}`,
        details: { ...placed(entry), bound, limit },
      }),
  };
}
