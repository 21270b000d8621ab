import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, link, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type ArtifactStore, type Digest, FetchImageError } from "@fetch-image/core";

export interface FileArtifactStoreOptions {
  /** Made when absent. Several processes may share it. */
  readonly directory: string;
}

/**
 * Bytes by their digest, on disk: `blobs/<algorithm>/<hex>`, and image layouts in `layouts/`.
 *
 * A file appears under its name only when all its bytes hash to it and are on the disk (part file, fsync, rename), so a
 * reader never meets half of one, and two processes that fetch the same blob both end with the same file.
 * A full disk rejects with `FI_STORE_FULL`, a directory that cannot be used with `FI_STORE_UNREADABLE`.
 */
export function createFileArtifactStore({ directory }: FileArtifactStoreOptions): ArtifactStore {
  const root = resolve(directory);
  const store: ArtifactStore = {
    has: (digest) => exists(blobPath(root, digest)),
    put: (digest, bytes, options) => typed(root, () => put(root, digest, bytes, options)),
    read: (digest) => read(root, digest),
    layout: (manifest) => typed(root, () => layout(root, manifest)),
  };
  return store;
}

function blobPath(root: string, digest: Digest): string {
  const [algorithm = "", hex = ""] = digest.split(":");
  return join(root, "blobs", algorithm, hex);
}

async function put(
  root: string,
  digest: Digest,
  bytes: AsyncIterable<Uint8Array>,
  { size, signal }: Parameters<ArtifactStore["put"]>[2],
): Promise<void> {
  const path = blobPath(root, digest);
  if (await exists(path)) return;
  await mkdir(join(path, ".."), { recursive: true });
  // A name of its own: another process may be fetching the same blob.
  const part = `${path}.${randomUUID()}.part`;
  const file = await open(part, "wx");
  try {
    const hash = createHash(digest.slice(0, digest.indexOf(":")));
    let length = 0;
    for await (const chunk of bytes) {
      if (signal.aborted) throw new FetchImageError("FI_ABORTED", { cause: signal.reason });
      length += chunk.length;
      if (size !== undefined && length > size) throw mismatch(digest, `more than the ${size} bytes it should have`);
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    if (size !== undefined && length !== size) throw mismatch(digest, `${length} bytes instead of ${size}`);
    const actual = `${digest.slice(0, digest.indexOf(":"))}:${hash.digest("hex")}`;
    if (actual !== digest) throw mismatch(digest, `bytes that hash to ${actual}`);
    await file.sync();
    await file.close();
    await rename(part, path);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(part, { force: true });
    throw error;
  }
}

async function* read(root: string, digest: Digest): AsyncIterable<Uint8Array> {
  const path = blobPath(root, digest);
  if (!(await exists(path))) throw absent(root, digest);
  yield* createReadStream(path);
}

/** OCI image-spec, image-layout.md. Blobs are hard links, so a layout costs no bytes and survives the store's pruning. */
async function layout(root: string, manifest: Parameters<ArtifactStore["layout"]>[0]): Promise<string> {
  const { digest, mediaType, size, blobs, annotations } = manifest;
  const target = join(root, "layouts", digest.replace(":", "-"));
  if (await exists(join(target, "index.json"))) return target;
  const draft = `${target}.${randomUUID()}.part`;
  try {
    for (const blob of new Set([digest, ...blobs])) {
      if (!(await exists(blobPath(root, blob)))) throw absent(root, blob);
      const to = blobPath(draft, blob);
      await mkdir(join(to, ".."), { recursive: true });
      await link(blobPath(root, blob), to);
    }
    const entry = { mediaType, digest, size, ...(annotations === undefined ? {} : { annotations }) };
    const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [entry] };
    await writeFile(join(draft, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    await writeFile(join(draft, "index.json"), JSON.stringify(index));
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process made the very same layout meanwhile.
    if (await exists(join(target, "index.json"))) return target;
    throw error;
  }
  return target;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

function absent(root: string, digest: Digest): FetchImageError {
  return new FetchImageError("FI_IMAGE_UNKNOWN", {
    message: `the artifact store ${root} does not hold ${digest}`,
    hint: "Fetch the image again; the store may have been pruned.",
    details: { digest },
  });
}

function mismatch(digest: Digest, got: string): FetchImageError {
  return new FetchImageError("FI_DIGEST_MISMATCH", {
    message: `what was to be ${digest} has ${got}: nothing of it is kept`,
    details: { digest },
  });
}

/** What the disk refuses, in our words. Errors of the bytes' source pass as they are. */
async function typed<T>(root: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOSPC" || code === "EDQUOT") {
      const free = `the disk of the artifact store ${root} is full`;
      throw new FetchImageError("FI_STORE_FULL", { message: free, details: { directory: root }, cause: error });
    }
    if (code === "EACCES" || code === "EROFS" || code === "EPERM" || code === "ENOTDIR") {
      const message = `the artifact store ${root} cannot be written (${code})`;
      throw new FetchImageError("FI_STORE_UNREADABLE", { message, details: { directory: root }, cause: error });
    }
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" && "syscall" in error
    ? error.code
    : undefined;
}
