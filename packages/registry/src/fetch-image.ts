import type { Digest } from "@fetch-image/core/registry-image";
import type { RegistryParts } from "./conversation.ts";
import { parseJsonBody } from "./json-body.ts";
import type { Target } from "./locate.ts";
import { type Descriptor, type Platform, platformOf } from "./manifest.ts";
import type { Patience } from "./patience.ts";
import { completePlatform } from "./platform.ts";
import { pullBlobs } from "./pull-blobs.ts";
import { type PulledManifest, pullImage } from "./pull-image.ts";
import { pullIndex } from "./pull-index.ts";
import type { FetchImageOptions, StoredImage, StoredManifest } from "./stored-image.ts";

/** What a pull needs to know of its registry and its caller. */
export interface Pull extends RegistryParts {
  readonly target: Target;
  readonly mirrored: boolean;
  readonly patience: Patience;
  readonly options: FetchImageOptions;
}

/** Brings the image of a digest into the store, from one registry; every byte is checked on its way. */
export async function fetchImage(pull: Pull, digest: Digest): Promise<StoredImage> {
  const { platform, everyPlatform = false, content = "everything", signal } = pull.options;
  const one = await pullImage(pull, digest, completePlatform(platform), signal);
  // The registry is always asked for the manifests: its answer is also its leave to have what the store holds.
  const manifests = everyPlatform ? await pullIndex(pull, one.path, signal) : one.path;
  for (const manifest of manifests) await keep(pull, manifest);
  const blobs = distinct(manifests.flatMap((manifest) => blobsOf(manifest, content)));
  let downloaded = sizeOf(manifests) + (await pullBlobs(pull, blobs, pull.options.onProgress));
  downloaded += await pullBlobs(pull, await missing(pull, blobs), undefined);
  const [root] = one.path;
  const { config, layers, annotations } = one.manifest;
  return {
    digest,
    host: root.host,
    mirrored: pull.mirrored,
    root: stored(root),
    image: {
      manifest: stored(one),
      config,
      layers,
      platform: one.platform ?? (await platformOfConfig(pull, config)),
      annotations,
    },
    blobs: [...manifests, ...blobs].map((blob) => blob.digest),
    bytes: sizeOf(manifests) + sizeOf(blobs),
    downloadedBytes: downloaded,
  };
}

async function keep({ options: { store, signal } }: Pull, { digest, bytes, size }: StoredManifest): Promise<void> {
  if (!(await store.has(digest))) await store.put(digest, () => once(bytes), { size, signal });
}

function blobsOf({ manifest }: PulledManifest, content: "everything" | "config only"): readonly Descriptor[] {
  if (manifest.kind === "index") return [];
  return content === "everything" ? [manifest.config, ...manifest.layers] : [manifest.config];
}

// In a download of hours somebody may have pruned what had come first.
async function missing({ options: { store } }: Pull, blobs: readonly Descriptor[]): Promise<readonly Descriptor[]> {
  const there = await Promise.all(blobs.map(({ digest }) => store.has(digest)));
  return blobs.filter((_, at) => there[at] !== true);
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

function stored({ digest, mediaType, size, bytes }: StoredManifest): StoredManifest {
  return { digest, mediaType, size, bytes };
}

function distinct(blobs: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
}

function sizeOf(blobs: readonly { readonly size: number }[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}
