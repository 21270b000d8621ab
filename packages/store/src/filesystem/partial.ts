import { createHash, type Hash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "@fetch-image/core/registry-image";
import { algorithmOf, fileNameOf } from "./blob-path.ts";
import { draftName, leftName, readDraftName } from "./drafts.ts";

/** Where blobs grow, in a store. */
export const partialsFolder = "partials";

/** A blob that is being written by this put alone: nobody else has the file open, nor may open it. */
export interface Partial {
  readonly path: string;
  readonly file: FileHandle;
  /** Of all its bytes so far. */
  readonly hash: Hash;
  /** Bytes in it so far. */
  length: number;
}

/** A new file for a blob's bytes. */
export async function newPartial(root: string, digest: Digest): Promise<Partial> {
  const folder = join(root, partialsFolder);
  await mkdir(folder, { recursive: true });
  const path = join(folder, draftName(fileNameOf(digest)));
  return { path, file: await open(path, "wx+", 0o644), hash: createHash(algorithmOf(digest)), length: 0 };
}

/**
 * The largest part of the blob that an interrupted put has left, or a process that is surely dead, hashed so far; else a
 * new one. A part that somebody may still write to is left alone: his last write could come after our check of the bytes.
 */
export async function claimPartial(root: string, digest: Digest, size: number | undefined): Promise<Partial> {
  for (const { path } of await leftOver(root, digest)) {
    const own = join(root, partialsFolder, draftName(fileNameOf(digest)));
    let file: FileHandle | undefined;
    try {
      // Of several who want it, one succeeds.
      await rename(path, own);
      file = await open(own, "r+");
      const partial: Partial = { path: own, file, hash: createHash(algorithmOf(digest)), length: 0 };
      await hashWhatIsThere(partial);
      if (size === undefined || partial.length <= size) return partial;
    } catch {
      // Another has it, or it cannot be used: the bytes are to be had elsewhere.
    }
    await file?.close().catch(() => undefined);
    await rm(own, { force: true }).catch(() => undefined);
  }
  return newPartial(root, digest);
}

/** Leaves the bytes to the next put of the blob; its file must be closed. */
export async function leave({ path, length }: Partial): Promise<void> {
  if (length > 0) await rename(path, leftName(path));
  else await rm(path, { force: true });
}

async function leftOver(root: string, digest: Digest): Promise<readonly { path: string; size: number }[]> {
  const folder = join(root, partialsFolder);
  const wanted = fileNameOf(digest);
  const found: { path: string; size: number }[] = [];
  for (const fileName of await readdir(folder).catch(() => [])) {
    if (!fileName.startsWith(wanted)) continue;
    const draft = readDraftName(fileName);
    if (draft?.name !== wanted || draft.busy) continue;
    const path = join(folder, fileName);
    const { size = 0 } = (await stat(path).catch(() => undefined)) ?? {};
    found.push({ path, size });
  }
  return found.sort((first, second) => second.size - first.size);
}

const readBytes = 1024 * 1024;

async function hashWhatIsThere(partial: Partial): Promise<void> {
  const buffer = Buffer.allocUnsafe(readBytes);
  for (;;) {
    const { bytesRead } = await partial.file.read(buffer, 0, readBytes, partial.length);
    if (bytesRead === 0) return;
    partial.hash.update(buffer.subarray(0, bytesRead));
    partial.length += bytesRead;
  }
}
