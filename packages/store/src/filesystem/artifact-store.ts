import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join, resolve } from "node:path";
import type { ArtifactStore, Digest } from "@fetch-image/core/registry-image";
import { algorithmOf, blobPath } from "./blob-path.ts";
import { absent, asStoreError, mismatch, withStoreErrors } from "./disk-errors.ts";
import { sweepDrafts } from "./drafts.ts";
import { layoutsFolder, makeLayout } from "./layout.ts";
import { partialsFolder } from "./partial.ts";
import { putBlob } from "./put-blob.ts";
import { use } from "./use.ts";

export interface FileArtifactStoreOptions {
  /** Made when absent. Several processes may share it. */
  readonly directory: string;
}

/**
 * Bytes by their digest, on disk: `blobs/<algorithm>/<hex>`, image layouts in `layouts/`, and in `partials/` what is
 * being written.
 *
 * A file appears under its name only when all its bytes hash to it and are on the disk (part file, fdatasync, rename), so
 * a reader never meets half of one, and two processes that fetch the same blob both end with the same file. Nothing can
 * be written to it from then on, and whoever reads it to its end learns if the disk gave other bytes.
 *
 * What an interrupted put has left, and also a process of this machine that was killed, is gone on with by the next put
 * of the blob, in whichever process. Within one process a blob is fetched once at a time, whichever objects are used.
 *
 * A full disk rejects with `FI_STORE_FULL`, a directory that cannot be used with `FI_STORE_UNREADABLE`.
 */
export function createFileArtifactStore({ directory }: FileArtifactStoreOptions): ArtifactStore {
  const root = resolve(directory);
  let swept: Promise<void> | undefined;
  return {
    has: async (digest) => use(blobPath(root, digest)),
    put: (digest, bytes, { size, signal }) =>
      withStoreErrors(root, async () => {
        await (swept ??= sweepDrafts([partialsFolder, layoutsFolder].map((folder) => join(root, folder))));
        await putBlob(root, digest, { bytes, size, signal });
      }),
    read: (digest) => read(root, digest),
    layout: (manifest) => withStoreErrors(root, () => makeLayout(root, manifest)),
  };
}

const readBytes = 256 * 1024;

/** The bytes as they come; rejects, before it ends, where they are not those of the digest. */
async function* read(root: string, digest: Digest): AsyncGenerator<Uint8Array, void> {
  const path = blobPath(root, digest);
  if (!(await use(path))) throw absent(root, digest);
  const hash = createHash(algorithmOf(digest));
  try {
    const chunks: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: readBytes });
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  } catch (error) {
    throw asStoreError(root, error);
  }
  const actual = `${algorithmOf(digest)}:${hash.digest("hex")}`;
  if (actual !== digest) throw mismatch(digest, `bytes that hash to ${actual}`);
}
