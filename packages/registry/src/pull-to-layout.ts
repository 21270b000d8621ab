import { type ArtifactStore, type CancelSignal, type Digest, FetchImageError } from "@fetch-image/core";
import { pullBlobs } from "./pull-blobs.ts";
import type { Conversation } from "./conversation.ts";
import { parseJsonBody } from "./json-body.ts";
import type { Target } from "./locate.ts";
import {
  acceptManifests,
  type Descriptor,
  digestOf,
  type Manifest,
  parseManifest,
  type Platform,
  platformOf,
} from "./manifest.ts";
import { completePlatform, pickPlatform, type WantedPlatform } from "./platform.ts";
import { hostOf } from "./resolve.ts";
import type { RegistrySettings } from "./settings.ts";
import { deadline } from "./transport/deadline.ts";
import { protocolError } from "./transport/refusal.ts";

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
export interface Pull {
  readonly conversation: Conversation;
  readonly settings: RegistrySettings;
  readonly target: Target;
  readonly options: FetchArtifactOptions;
}

/** Pulls one platform's image by digest into the store and makes a layout of it; every byte is checked on its way. */
export async function pullToLayout(pull: Pull, digest: Digest): Promise<FetchedArtifact> {
  const { store, signal } = pull.options;
  const top = await pullManifest(pull, digest);
  const one = await pickImage(pull, top);
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

interface PulledManifest {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
}

interface PulledImage extends PulledManifest {
  readonly manifest: Extract<Manifest, { kind: "image" }>;
  readonly platform: Platform | undefined;
}

// An index may hold indexes; nobody nests them deeper than this.
const deepestIndex = 3;

async function pickImage(pull: Pull, top: PulledManifest): Promise<PulledImage> {
  let { manifest, ...current } = top;
  let platform: Platform | undefined;
  for (let depth = 0; manifest.kind === "index"; depth++) {
    const subject = `${pull.target.name}@${current.digest}`;
    if (depth === deepestIndex) {
      throw protocolError(hostOf(pull.target), `has an index within an index within an index as ${subject}`);
    }
    const child = pickPlatform(manifest.manifests, completePlatform(pull.options.platform), subject);
    platform = child.platform ?? platform;
    ({ manifest, ...current } = await pullManifest(pull, child.digest, child.size));
  }
  return { ...current, manifest, platform };
}

async function pullManifest(pull: Pull, digest: Digest, size?: number): Promise<PulledManifest> {
  const { conversation, settings, target } = pull;
  const subject = `${target.name}@${digest}`;
  using limit = deadline(pull.options.signal, { ms: settings.timeouts.exchangeMs, host: hostOf(target) });
  const answer = await conversation.ask(target, {
    method: "GET",
    path: `manifests/${digest}`,
    accept: acceptManifests,
    purpose: "api",
    signal: limit.signal,
  });
  if (answer.status !== 200) throw await conversation.refused(target, answer, subject);
  const bytes = await answer.bytes(settings.limits.manifestBytes, `the manifest ${subject}`);
  const actual = digestOf(bytes, digest);
  if (actual !== digest || (size !== undefined && bytes.length !== size)) {
    throw new FetchImageError("FI_DIGEST_MISMATCH", {
      message: `${answer.url.host} answered for ${subject} with ${bytes.length} bytes that hash to ${actual}`,
      details: { host: answer.url.host, status: answer.status, wanted: digest, actual },
    });
  }
  return { digest, bytes, manifest: parseManifest(bytes, answer, subject) };
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
