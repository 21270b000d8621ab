import type { Digest } from "@fetch-image/core/registry-image";
import type { Descriptor } from "../manifest.ts";
import type { StoredManifest } from "../stored-image.ts";

/** A config or a layer, wherever its bytes are. */
export interface BlobToPush extends Descriptor {
  /** Its bytes from an offset on; as often as they are asked for. */
  open(from: number): AsyncIterable<Uint8Array>;
}

/** An image as a registry is to have it. */
export interface ImageToPush {
  /** What it is run by: of an index, the index's. */
  readonly digest: Digest;
  /** What lists others stands behind them; the last is the image's own. */
  readonly manifests: readonly StoredManifest[];
  /** Each once. */
  readonly blobs: readonly BlobToPush[];
}
