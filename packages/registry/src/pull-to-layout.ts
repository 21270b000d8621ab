import type { ArtifactStore, CancelSignal, Digest } from "@fetch-image/core";
import type { RegistryParts } from "./conversation.ts";
import { parseJsonBody } from "./json-body.ts";
import type { Target } from "./locate.ts";
import { type Descriptor, type Platform, platformOf } from "./manifest.ts";
import { completePlatform, type WantedPlatform } from "./platform.ts";
import { pullBlobs } from "./pull-blobs.ts";
import { pullImage } from "./pull-image.ts";

/** How far a fetch is. Given once the manifest is known, then whenever some megabytes or a blob have come. */
export interface ArtifactProgress {
  /** Of the blobs; those that the store had already count as received. */
  readonly receivedBytes: number;
  readonly totalBytes: number;
  readonly blobsDone: number;
  readonly blobsTotal: number;
}

export interface FetchArtifactOptions {
  readonly store: ArtifactStore;
  /** Default: linux on this machine's processor. */
  readonly platform?: WantedPlatform;
  readonly signal: CancelSignal;
  readonly onProgress?: (progress: ArtifactProgress) => void;
}

export interface FetchedArtifact {
  /** An OCI image layout with the one image in it. */
  readonly directory: string;
  /** As asked for: of an index, where the image is one for several platforms. */
  readonly digest: Digest;
  /** Of the one image in the layout. */
  readonly manifestDigest: Digest;
  /** What the image says it is built for, by its index or else its config. */
  readonly platform: Platform;
  /** Size of manifest, config and layers. */
  readonly bytes: number;
  /** How much of it came over the network; the rest was in the store. */
  readonly downloadedBytes: number;
}

/** What a pull needs to know of its registry and its caller. */
export interface Pull extends RegistryParts {
  readonly target: Target;
  readonly options: FetchArtifactOptions;
}

/** Pulls one platform's image by digest into the store and makes a layout of it; every byte is checked on its way. */
export async function pullToLayout(pull: Pull, digest: Digest): Promise<FetchedArtifact> {
  const { store, signal } = pull.options;
  const one = await pullImage(pull, digest, completePlatform(pull.options.platform), signal);
  const blobs = [one.manifest.config, ...one.manifest.layers];
  const downloadedBytes = await pullBlobs(pull, blobs);
  await store.put(one.digest, once(one.bytes), { size: one.bytes.length, signal });
  const directory = await store.layout({
    digest: one.digest,
    mediaType: one.manifest.mediaType,
    size: one.bytes.length,
    blobs: [...new Set(blobs.map((blob) => blob.digest))],
  });
  return {
    directory,
    digest,
    manifestDigest: one.digest,
    platform: one.platform ?? (await platformOfConfig(pull, one.manifest.config)),
    bytes: one.bytes.length + sizeOf(blobs),
    downloadedBytes: one.bytes.length + downloadedBytes,
  };
}

// An image without an index says only in its config what it is built for. It is taken as it is, as the resource does.
async function platformOfConfig({ options: { store }, settings }: Pull, config: Descriptor): Promise<Platform> {
  const unknown: Platform = { os: "unknown", architecture: "unknown" };
  if (config.size > settings.limits.configBytes) return unknown;
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.read(config.digest)) chunks.push(chunk);
  return platformOf(parseJsonBody(Buffer.concat(chunks))) ?? unknown;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

function sizeOf(blobs: readonly Descriptor[]): number {
  return [...new Map(blobs.map((blob) => [blob.digest, blob.size])).values()].reduce((sum, size) => sum + size, 0);
}
