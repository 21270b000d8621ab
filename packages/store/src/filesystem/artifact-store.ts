import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type ArtifactStore, type CancelSignal, type Digest, FetchImageError } from "@fetch-image/core";
import { untilAborted } from "../facts/abort.ts";
import { algorithmOf, blobPath, exists, partSuffix, syncDirectory } from "./blob-path.ts";
import { absent, asStoreError, mismatch, withStoreErrors } from "./disk-errors.ts";
import { makeLayout } from "./layout.ts";

export interface FileArtifactStoreOptions {
  /** Made when absent. Several processes may share it. */
  readonly directory: string;
}

/** A part this old belongs to a process that was killed. */
const abandonedMs = 24 * 60 * 60 * 1000;

/**
 * Bytes by their digest, on disk: `blobs/<algorithm>/<hex>`, and image layouts in `layouts/`.
 *
 * A file appears under its name only when all its bytes hash to it and are on the disk (part file, fsync, rename), so a
 * reader never meets half of one, and two processes that fetch the same blob both end with the same file. Nothing can
 * be written to it from then on, and whoever reads it to its end learns if the disk gave other bytes.
 * A full disk rejects with `FI_STORE_FULL`, a directory that cannot be used with `FI_STORE_UNREADABLE`.
 */
export function createFileArtifactStore({ directory }: FileArtifactStoreOptions): ArtifactStore {
  const root = resolve(directory);
  let swept: Promise<void> | undefined;
  return {
    has: async (digest) => exists(blobPath(root, digest)),
    put: (digest, bytes, options) =>
      withStoreErrors(root, async () => {
        await (swept ??= sweep(root));
        await put(root, digest, typeof bytes === "function" ? bytes(0) : bytes, options);
      }),
    read: (digest) => read(root, digest),
    layout: (manifest) => withStoreErrors(root, () => makeLayout(root, manifest)),
  };
}

async function put(
  root: string,
  digest: Digest,
  bytes: AsyncIterable<Uint8Array>,
  options: { readonly size?: number; readonly signal: CancelSignal },
): Promise<void> {
  const path = blobPath(root, digest);
  await mkdir(dirname(path), { recursive: true });
  // A name of its own: another process may be fetching the same blob. Read-only, since layouts share it by hard links.
  const part = `${path}.${randomUUID()}${partSuffix}`;
  const file = await open(part, "wx", 0o444);
  try {
    for await (const chunk of verified(digest, bytes, options)) await file.writeFile(chunk);
    await file.sync();
    await file.close();
    await rename(part, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error;
  }
}

/** The bytes as they come; rejects, before it ends, where they are not those of the digest. */
async function* verified(
  digest: Digest,
  bytes: AsyncIterable<Uint8Array>,
  { size, signal }: { readonly size?: number; readonly signal?: CancelSignal },
): AsyncGenerator<Uint8Array, void> {
  const hash = createHash(algorithmOf(digest));
  let length = 0;
  for await (const chunk of signal === undefined ? bytes : untilSignal(bytes, signal)) {
    length += chunk.length;
    if (size !== undefined && length > size) throw mismatch(digest, `more than the ${size} bytes it should have`);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== undefined && length !== size) throw mismatch(digest, `${length} bytes instead of ${size}`);
  const actual = `${algorithmOf(digest)}:${hash.digest("hex")}`;
  if (actual !== digest) throw mismatch(digest, `bytes that hash to ${actual}`);
}

/** Rejects with `FI_ABORTED` as soon as the signal aborts, also while the source is silent. */
async function* untilSignal(bytes: AsyncIterable<Uint8Array>, signal: CancelSignal): AsyncGenerator<Uint8Array, void> {
  const iterator = bytes[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await untilAborted(iterator.next(), signal);
      if (next === undefined) throw new FetchImageError("FI_ABORTED", { cause: signal.reason });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // Not waited for: a source that is silent may never answer.
    iterator.return?.().catch(() => undefined);
  }
}

async function* read(root: string, digest: Digest): AsyncGenerator<Uint8Array, void> {
  const path = blobPath(root, digest);
  if (!(await exists(path))) throw absent(root, digest);
  try {
    yield* verified(digest, createReadStream(path), {});
  } catch (error) {
    throw asStoreError(root, error);
  }
}

/** Removes what processes that were killed in the middle of a put have left, long ago. */
async function sweep(root: string): Promise<void> {
  for (const algorithm of ["sha256", "sha512"]) {
    const folder = join(root, "blobs", algorithm);
    const names = await readdir(folder).catch(() => []);
    for (const name of names.filter((each) => each.endsWith(partSuffix))) {
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined && Date.now() - found.mtimeMs > abandonedMs) await rm(path, { force: true });
    }
  }
}
