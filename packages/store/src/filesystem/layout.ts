import { createHash, randomUUID } from "node:crypto";
import { copyFile, link, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ArtifactStore } from "@fetch-image/core";
import { blobPath, exists, partSuffix, syncDirectory } from "./blob-path.ts";
import { absent } from "./disk-errors.ts";

type Manifest = Parameters<ArtifactStore["layout"]>[0];

/**
 * An OCI image layout (image-spec, image-layout.md) in `layouts/`, made aside and moved into place. Blobs are hard links
 * where the disk has them, so a layout costs no bytes and survives the store's pruning.
 */
export async function makeLayout(root: string, manifest: Manifest): Promise<string> {
  const target = join(root, "layouts", nameOf(manifest));
  if (await exists(join(target, "index.json"))) return target;
  const draft = `${target}.${randomUUID()}${partSuffix}`;
  try {
    for (const blob of new Set([manifest.digest, ...manifest.blobs])) {
      const from = blobPath(root, blob);
      if (!(await exists(from))) throw absent(root, blob);
      const to = blobPath(draft, blob);
      await mkdir(dirname(to), { recursive: true });
      await link(from, to).catch(() => copyFile(from, to));
    }
    await writeDurably(join(draft, "oci-layout"), { imageLayoutVersion: "1.0.0" });
    await writeDurably(join(draft, "index.json"), indexOf(manifest));
    await rename(draft, target);
    await syncDirectory(dirname(target));
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process made the very same layout meanwhile.
    if (await exists(join(target, "index.json"))) return target;
    throw error;
  }
  return target;
}

// The same image under other annotations (a tag, say) is another layout.
function nameOf({ digest, mediaType, annotations }: Manifest): string {
  const name = digest.replace(":", "-");
  if (annotations === undefined) return name;
  const distinction = createHash("sha256")
    .update(JSON.stringify([mediaType, annotations]))
    .digest("hex");
  return `${name}-${distinction.slice(0, 16)}`;
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
