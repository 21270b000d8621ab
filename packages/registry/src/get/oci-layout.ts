import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ArtifactStore, CancelSignal, Digest } from "@fetch-image/core/registry-image";
import { mediaTypes } from "../manifest.ts";
import type { StoredImage } from "../stored-image.ts";
import { storedBytes } from "./stored-bytes.ts";

/**
 * Writes an OCI image layout (image-spec, image-layout.md) as the resource does (upstream commands/oci_layout.go): where
 * the digest names an index, that very index is `index.json`, and every image of it is there; a single image stands in
 * an index of its own, and `single-image-digest` names it.
 */
export async function writeOciLayout(
  directory: string,
  stored: StoredImage,
  { store, signal }: { readonly store: ArtifactStore; readonly signal: CancelSignal },
): Promise<void> {
  const { root } = stored;
  const isIndex = root.mediaType === mediaTypes.ociIndex || root.mediaType === mediaTypes.dockerList;
  await mkdir(directory, { recursive: true });
  for (const digest of stored.blobs) {
    // The index itself is `index.json`.
    if (isIndex && digest === root.digest) continue;
    const path = blobPath(directory, digest);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, storedBytes(store, digest, signal), { flag: "wx" });
  }
  await writeFile(join(directory, "index.json"), isIndex ? root.bytes : indexOf(stored));
  if (!isIndex) await writeFile(join(directory, "single-image-digest"), root.digest);
  await writeFile(join(directory, "oci-layout"), '{\n    "imageLayoutVersion": "1.0.0"\n}');
}

function indexOf({ root: { mediaType, size, digest } }: StoredImage): string {
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [{ mediaType, size, digest }] };
  return JSON.stringify(index, undefined, 2);
}

function blobPath(directory: string, digest: Digest): string {
  const [algorithm = "", hex = ""] = digest.split(":");
  return join(directory, "blobs", algorithm, hex);
}
