import { type CancelSignal, type Digest, FetchImageError } from "@fetch-image/core";
import type { UnpackLimits } from "./limits.ts";

export interface LayerToUnpack {
  readonly digest: Digest;
  /** The compressed bytes, as the registry has them. */
  open(): AsyncIterable<Uint8Array>;
  /** Of the uncompressed tar, from the config's `rootfs.diff_ids`: verified when given. */
  readonly diffId?: Digest;
}

export interface UnpackProgress {
  /** Which one is being applied, from 1. */
  readonly layer: number;
  readonly layers: number;
  /** Of files' contents, so far. */
  readonly bytes: number;
  readonly entries: number;
}

export interface UnpackOptions {
  /** The lowest first, as the manifest lists them. */
  readonly layers: readonly LayerToUnpack[];
  /** Absent or an empty directory; there when all is done, and not touched before. */
  readonly destination: string;
  /** Over {@link defaultUnpackLimits}. */
  readonly limits?: Partial<UnpackLimits>;
  readonly signal: CancelSignal;
  readonly onProgress?: (progress: UnpackProgress) => void;
}

export interface Unpacked {
  readonly entries: number;
  /** Of files' contents. */
  readonly bytes: number;
  /** What the layers have and the destination has not: devices, forbidden attributes. At most 1000, the last of which
   *  then says how many more. */
  readonly skipped: readonly { readonly path: string; readonly why: string }[];
}

export function unpackLayers(options: UnpackOptions): Promise<Unpacked> {
  return Promise.reject(
    new FetchImageError("FI_INTERNAL", { message: `cannot unpack into ${options.destination} yet` }),
  );
}
