import { open } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, FetchImageError, isDigest } from "@fetch-image/core/registry-image";

/** Where a blob is, in a store and in an OCI image layout alike (image-spec, image-layout.md). */
export function blobPath(root: string, digest: Digest): string {
  // A digest may come from a manifest, and must never lead out of the store.
  if (!isDigest(digest)) {
    throw new FetchImageError("FI_IMAGE_UNKNOWN", { message: `${JSON.stringify(digest)} is not a digest` });
  }
  return join(root, "blobs", algorithmOf(digest), digest.slice(digest.indexOf(":") + 1));
}

/** `sha256-9f86…`, for file names; `:` is none on every disk. */
export function fileNameOf(digest: Digest): string {
  return digest.replace(":", "-");
}

export function algorithmOf(digest: Digest): string {
  return digest.slice(0, digest.indexOf(":"));
}

/** Until this is done, a power loss may undo what was renamed in the directory. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
