import type { Digest } from "../image/digest.ts";
import type { CancelSignal } from "./cancel-signal.ts";

/**
 * The bytes of a blob: a stream, or a way to have them from an offset on. With the latter a store may go on where an
 * earlier, interrupted put has left off. It asks at most once in a put, and never where it has the bytes already.
 */
export type ArtifactBytes = AsyncIterable<Uint8Array> | ((from: number) => AsyncIterable<Uint8Array>);

/**
 * Bytes by their digest. Safe to repeat and safe with several writers; what it holds always hashes to its name.
 */
export interface ArtifactStore {
  /** Counts as a use of it: what is used is pruned last. */
  has(digest: Digest): Promise<boolean>;
  /**
   * Rejects with `FI_DIGEST_MISMATCH` and keeps nothing when the bytes do not hash to `digest` or their count is not
   * `size`. Where `bytes` is a function and it is the source that fails, or `signal` aborts, a store may keep what came
   * as a partial that nobody can read; the next put of the digest goes on from there, and hashes all of it.
   *
   * Of several puts of one digest at the same time, those with a function may wait for one of them instead of asking.
   */
  put(
    digest: Digest,
    bytes: ArtifactBytes,
    options: { readonly size?: number; readonly signal: CancelSignal },
  ): Promise<void>;
  /** Rejects with `FI_IMAGE_UNKNOWN` where it is absent. */
  read(digest: Digest): AsyncIterable<Uint8Array>;
  /**
   * Makes an OCI image layout (image-spec, image-layout.md) of what is stored, with `manifest` as its one entry: an
   * image's or an index. Gives the directory, which is complete or not there at all. `blobs` is everything else that
   * is to be in it; of an index, the manifests of its images as well.
   */
  layout(manifest: {
    readonly digest: Digest;
    readonly mediaType: string;
    readonly size: number;
    readonly blobs: readonly Digest[];
    readonly annotations?: { readonly [key: string]: string };
  }): Promise<string>;
}
