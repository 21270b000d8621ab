import type { Digest } from "../image/digest.ts";
import type { CancelSignal } from "./cancel-signal.ts";

/**
 * Bytes by their digest. Safe to repeat and safe with several writers; what it holds always hashes to its name.
 */
export interface ArtifactStore {
  has(digest: Digest): Promise<boolean>;
  /** Keeps nothing and rejects with `FI_DIGEST_MISMATCH` when the bytes do not hash to `digest` or their count is not `size`. */
  put(
    digest: Digest,
    bytes: AsyncIterable<Uint8Array>,
    options: { readonly size?: number; readonly signal: CancelSignal },
  ): Promise<void>;
  /** Rejects with `FI_IMAGE_UNKNOWN` where it is absent. */
  read(digest: Digest): AsyncIterable<Uint8Array>;
  /** Makes an OCI image layout (image-spec, image-layout.md) of what is stored, with `manifest` as its one entry, and
   *  gives the directory. Complete or not there at all. */
  layout(manifest: {
    readonly digest: Digest;
    readonly mediaType: string;
    readonly size: number;
    readonly blobs: readonly Digest[];
    readonly annotations?: { readonly [key: string]: string };
  }): Promise<string>;
}
