import { type Digest, isDigest } from "@fetch-image/core/registry-image";
import { isJsonBody, type JsonBody, parseJsonBody } from "../json-body.ts";
import { digestOf, isManifestType, mediaTypes } from "../manifest.ts";
import type { StoredManifest } from "../stored-image.ts";
import { artifactInvalid } from "./artifact-invalid.ts";
import type { BlobToPush, ImageToPush } from "./image-to-push.ts";

/** Blobs by their digest, as a layout has them: in a directory, or in an archive of one. */
export interface LayoutBlobs {
  /** For messages: `oci/blobs/sha256/…`. */
  nameOf(digest: Digest): string;
  /** Undefined where there is none. */
  find(digest: Digest): Promise<Pick<BlobToPush, "size" | "open"> | undefined>;
  /** All of a small one. */
  read(digest: Digest, maxBytes: number): Promise<Uint8Array>;
}

export interface LayoutLimits {
  readonly manifestBytes: number;
}

// As for what is pulled.
const mostManifests = 1_000;
const deepestIndex = 3;

/**
 * The image of an OCI layout (image-spec, image-layout.md). Where `index.json` lists one image, that; where it lists one
 * for each of several platforms it is the image's own index, and pushed as it is. Throws `FI_ARTIFACT_INVALID`.
 */
export async function imageOfLayout(
  { name, bytes }: { readonly name: string; readonly bytes: Uint8Array },
  blobs: LayoutBlobs,
  limits: LayoutLimits,
): Promise<ImageToPush> {
  const index = parseJsonBody(bytes);
  const entries = descriptorsIn(index?.["manifests"]);
  if (!index || !entries) throw artifactInvalid(name, "is no index of an OCI layout");
  const [first, ...others] = entries.filter(({ mediaType }) => isManifestType(mediaType));
  if (!first) throw artifactInvalid(name, "lists no image");
  const walk: Walk = { blobs, limits, manifests: new Map(), found: new Map() };
  if (others.length === 0) {
    await walkManifest(walk, first, 0);
    return imageOf(walk, first.digest);
  }
  if (entries.some(({ hasPlatform }) => !hasPlatform)) {
    throw artifactInvalid(
      name,
      `lists ${entries.length} images, and not one for each of several platforms: only one can be run`,
    );
  }
  const mediaType = typeof index["mediaType"] === "string" ? index["mediaType"] : mediaTypes.ociIndex;
  for (const entry of entries) await walkManifest(walk, entry, 1);
  const digest = digestOf(bytes);
  walk.manifests.set(digest, { digest, mediaType, size: bytes.length, bytes });
  return imageOf(walk, digest);
}

interface Walk {
  readonly blobs: LayoutBlobs;
  readonly limits: LayoutLimits;
  /** In the order in which a registry takes them. */
  readonly manifests: Map<Digest, StoredManifest>;
  readonly found: Map<Digest, BlobToPush>;
}

interface Entry {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly hasPlatform: boolean;
}

async function walkManifest(walk: Walk, entry: Entry, depth: number): Promise<void> {
  const { blobs, limits, manifests, found } = walk;
  const { digest, mediaType, size } = entry;
  const name = blobs.nameOf(digest);
  if (manifests.has(digest)) return;
  if (!isManifestType(mediaType)) return await addBlob(walk, entry);
  if (depth > deepestIndex) throw artifactInvalid(name, "is an index within too many indexes");
  const bytes = await blobs.read(digest, limits.manifestBytes);
  const actual = digestOf(bytes, digest);
  if (actual !== digest || bytes.length !== size) {
    throw artifactInvalid(name, `is not what its index says: ${bytes.length} bytes that hash to ${actual}`);
  }
  const body = parseJsonBody(bytes);
  const children = descriptorsIn(body?.["manifests"]);
  if (mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList) {
    if (!children) throw artifactInvalid(name, "is no index of images");
    for (const child of children) await walkManifest(walk, child, depth + 1);
  } else {
    const [config] = descriptorsIn([body?.["config"]]) ?? [];
    const layers = descriptorsIn(body?.["layers"]);
    if (!config || !layers) throw artifactInvalid(name, "is no manifest of an image");
    for (const blob of [config, ...layers]) if (!found.has(blob.digest)) await addBlob(walk, blob);
  }
  manifests.set(digest, { digest, mediaType, size, bytes });
  if (manifests.size > mostManifests) throw artifactInvalid(name, `is one of more than ${mostManifests} manifests`);
}

async function addBlob({ blobs, found }: Walk, { digest, mediaType, size }: Entry): Promise<void> {
  const blob = await blobs.find(digest);
  const name = blobs.nameOf(digest);
  if (!blob) throw artifactInvalid(name, "is missing");
  if (blob.size !== size) throw artifactInvalid(name, `has ${blob.size} bytes, its manifest says ${size}`);
  found.set(digest, { digest, mediaType, size, open: blob.open });
}

function imageOf({ manifests, found }: Walk, digest: Digest): ImageToPush {
  return { digest, manifests: [...manifests.values()], blobs: [...found.values()] };
}

function descriptorsIn(value: unknown): readonly Entry[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const read = (value as unknown[]).map((item) => (isJsonBody(item) ? entryOf(item) : undefined));
  return read.every((item) => item !== undefined) ? read : undefined;
}

function entryOf({ mediaType, digest, size, platform }: JsonBody): Entry | undefined {
  if (typeof mediaType !== "string" || typeof digest !== "string" || !isDigest(digest)) return undefined;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return undefined;
  return { mediaType, digest, size, hasPlatform: isJsonBody(platform) };
}
