import { createHash } from "node:crypto";
import { access, copyFile, link, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ArtifactStore, Digest } from "@fetch-image/core/registry-image";
import { blobPath, fileNameOf, syncDirectory } from "./blob-path.ts";
import { absent } from "./disk-errors.ts";
import { draftName } from "./drafts.ts";
import { use } from "./use.ts";

/** Where layouts are, in a store. */
export const layoutsFolder = "layouts";

type Manifest = Parameters<ArtifactStore["layout"]>[0];

/**
 * An OCI image layout (image-spec, image-layout.md) in `layouts/`, made aside and moved into place. Blobs are hard links
 * where the disk has them, so a layout costs no bytes and stays whole when the store is pruned.
 */
export async function makeLayout(root: string, manifest: Manifest): Promise<string> {
  const target = join(root, layoutsFolder, nameOf(manifest));
  if (await use(target)) return target;
  const draft = draftName(target);
  try {
    for (const blob of new Set([manifest.digest, ...manifest.blobs])) {
      const from = blobPath(root, blob);
      if (!(await use(from))) throw absent(root, blob);
      const to = blobPath(draft, blob);
      await mkdir(dirname(to), { recursive: true });
      await link(from, to).catch(() => copyFile(from, to).catch(() => refuse(root, blob)));
    }
    await writeDurably(join(draft, "oci-layout"), { imageLayoutVersion: "1.0.0" });
    await writeDurably(join(draft, "index.json"), indexOf(manifest));
    await rename(draft, target);
    await syncDirectory(dirname(target));
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process made the very same layout meanwhile.
    if (await use(target)) return target;
    throw error;
  }
  return target;
}

// Pruned just now; or else the disk says what is wrong with it.
async function refuse(root: string, blob: Digest): Promise<void> {
  await access(blobPath(root, blob)).catch(() => {
    throw absent(root, blob);
  });
}

// The same image under other annotations (a tag, say) is another layout, and so is an index with more of its images.
function nameOf({ digest, mediaType, blobs, annotations = {} }: Manifest): string {
  const distinction = createHash("sha256")
    .update(JSON.stringify([mediaType, annotations, [...new Set(blobs)].toSorted()]))
    .digest("hex");
  return `${fileNameOf(digest)}-${distinction.slice(0, 16)}`;
}

function indexOf({ digest, mediaType, size, annotations }: Manifest): object {
  const entry = { mediaType, digest, size, ...(annotations === undefined ? {} : { annotations }) };
  return { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [entry] };
}

async function writeDurably(path: string, document: object): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(JSON.stringify(document));
    await file.sync();
  } finally {
    await file.close();
  }
}
