import type { Digest } from "@fetch-image/core/registry-image";
import { fetchImage, type Pull } from "./fetch-image.ts";
import type { Platform } from "./manifest.ts";
import type { FetchImageOptions } from "./stored-image.ts";

export type FetchArtifactOptions = Omit<FetchImageOptions, "everyPlatform" | "content">;

export interface FetchedArtifact {
  /** An OCI image layout with the one image in it. */
  readonly directory: string;
  /** As asked for: of an index, where the image is one for several platforms. */
  readonly digest: Digest;
  /** Of the one image in the layout. */
  readonly manifestDigest: Digest;
  /** What the image says it is built for, by its index or else its config. */
  readonly platform: Platform;
  /** Size of manifest, config and layers, and of the index that led to them. */
  readonly bytes: number;
  /** How much came over the network; the rest was in the store. */
  readonly downloadedBytes: number;
}

/** Brings one platform's image into the store and makes a layout of it. */
export async function pullToLayout(pull: Pull, digest: Digest): Promise<FetchedArtifact> {
  const { image, bytes, downloadedBytes } = await fetchImage(pull, digest);
  const { manifest, config, layers, platform } = image;
  const directory = await pull.options.store.layout({
    digest: manifest.digest,
    mediaType: manifest.mediaType,
    size: manifest.size,
    blobs: [...new Set([config, ...layers].map((blob) => blob.digest))],
  });
  return { directory, digest, manifestDigest: manifest.digest, platform, bytes, downloadedBytes };
}
