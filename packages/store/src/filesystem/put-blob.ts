import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { type ArtifactBytes, type CancelSignal, type Digest, FetchImageError } from "@fetch-image/core/registry-image";
import { untilAborted } from "../facts/abort.ts";
import { algorithmOf, blobPath, syncDirectory } from "./blob-path.ts";
import { createChunkWriter } from "./chunk-writer.ts";
import { mismatch } from "./disk-errors.ts";
import { claimPartial, leave, newPartial, type Partial } from "./partial.ts";

export interface Put {
  readonly bytes: ArtifactBytes;
  readonly size: number | undefined;
  readonly signal: CancelSignal;
}

/** Puts under way in this process that others may wait for, by the blob's path. Never rejects. */
const underWay = new Map<string, Promise<"stored" | "failed" | "aborted">>();

/**
 * Writes a blob, unless another put of this process is just doing so. Where that one fails, its reasons are its own:
 * whoever waited tries for himself. Where it is aborted, one of those who wait goes on with what it has left.
 */
export async function putBlob(root: string, digest: Digest, put: Put): Promise<void> {
  if (typeof put.bytes !== "function") return writeBlob(root, digest, put);
  const path = blobPath(root, digest);
  for (;;) {
    const other = underWay.get(path);
    if (!other) break;
    const ended = await untilAborted(other, put.signal);
    if (ended === undefined) throw abortedBy(put.signal);
    if (ended === "stored") return;
    if (ended === "failed") return writeBlob(root, digest, put);
  }
  const writing = writeBlob(root, digest, put);
  const outcome = writing.then(
    () => "stored" as const,
    () => (put.signal.aborted ? ("aborted" as const) : ("failed" as const)),
  );
  underWay.set(
    path,
    outcome.finally(() => underWay.delete(path)),
  );
  return writing;
}

/**
 * Into a part file of its own, hashed on the way, on the disk before it gets its name. Where the source fails and can go
 * on from an offset, the part is left for the next put; what is wrong is dropped.
 */
async function writeBlob(root: string, digest: Digest, { bytes, size, signal }: Put): Promise<void> {
  const path = blobPath(root, digest);
  if (signal.aborted) throw abortedBy(signal);
  await mkdir(dirname(path), { recursive: true });
  const resumable = typeof bytes === "function";
  const part = await (resumable ? claimPartial(root, digest, size) : newPartial(root, digest));
  let sourceFailed = false;
  try {
    const source = watched(resumable ? bytes(part.length) : bytes, signal, () => (sourceFailed = true));
    await fill(part, digest, { source, size });
    // Layouts share it by hard links: nothing may be written to it from now on.
    await part.file.chmod(0o444);
    await part.file.datasync();
    await part.file.close();
    await rename(part.path, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await part.file.close().catch(() => undefined);
    if (resumable && sourceFailed && !isMismatch(error)) await leave(part);
    else await rm(part.path, { force: true });
    throw error;
  }
}

async function fill(
  part: Partial,
  digest: Digest,
  { source, size }: { readonly source: AsyncIterable<Uint8Array>; readonly size: number | undefined },
): Promise<void> {
  const writer = createChunkWriter(part.file, part.length);
  try {
    for await (const chunk of source) {
      part.length += chunk.length;
      if (size !== undefined && part.length > size)
        throw mismatch(digest, `more than the ${size} bytes it should have`);
      part.hash.update(chunk);
      await writer.write(chunk);
    }
  } finally {
    // Whoever is left the part must find no write of ours under way.
    await writer.end();
  }
  if (size !== undefined && part.length !== size) throw mismatch(digest, `${part.length} bytes instead of ${size}`);
  const actual = `${algorithmOf(digest)}:${part.hash.digest("hex")}`;
  if (actual !== digest) throw mismatch(digest, `bytes that hash to ${actual}`);
}

/** The source's chunks; rejects with `FI_ABORTED` as soon as the signal aborts, also while the source is silent. */
async function* watched(
  source: AsyncIterable<Uint8Array>,
  signal: CancelSignal,
  onFailure: () => void,
): AsyncGenerator<Uint8Array, void> {
  const iterator = source[Symbol.asyncIterator]();
  // One listener for all chunks: there are thousands.
  let interrupt: (() => void) | undefined;
  const onAbort = (): void => interrupt?.();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        interrupt = () => reject(abortedBy(signal));
        if (signal.aborted) interrupt();
        iterator.next().then(resolve, reject);
      }).catch((error: unknown) => {
        onFailure();
        throw error;
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Not waited for: a source that is silent may never answer.
    iterator.return?.().catch(() => undefined);
  }
}

function isMismatch(error: unknown): boolean {
  return FetchImageError.is(error) && error.code === "FI_DIGEST_MISMATCH";
}

function abortedBy({ reason }: CancelSignal): FetchImageError {
  return new FetchImageError("FI_ABORTED", { cause: reason });
}
