import type { Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, isDigest } from "@fetch-image/core/registry-image";
import { abandonedMs, draftSuffix, leftSuffix, readDraftName } from "./drafts.ts";
import { layoutsFolder } from "./layout.ts";
import { partialsFolder } from "./partial.ts";

/** Something in a store that is there or gone as a whole. */
export interface Entry {
  readonly kind: "blob" | "layout" | "partial";
  readonly path: string;
  /** What it holds; of a layout, its one entry; undefined where its name does not tell. */
  readonly digest: Digest | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly usedAt: number;
  /** Somebody may be writing it. */
  readonly busy: boolean;
  /** Layouts share the files of blobs. */
  readonly files: readonly FileOnDisk[];
}

export interface FileOnDisk {
  /** The same for all names of one file. */
  readonly id: string;
  readonly bytes: number;
  /** Names that it has, in the store and elsewhere. */
  readonly names: number;
}

/** All that is in a store, and in further folders whose directories are used and removed like its layouts. */
export async function inventory(root: string, folders: readonly string[]): Promise<readonly Entry[]> {
  return [
    ...(await blobs(root)),
    ...(await drafts(join(root, partialsFolder))),
    ...(await Promise.all([join(root, layoutsFolder), ...folders].map(layouts))).flat(),
  ];
}

async function blobs(root: string): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  for (const algorithm of ["sha256", "sha512"]) {
    const folder = join(root, "blobs", algorithm);
    for (const name of await namesIn(folder)) {
      const digest = `${algorithm}:${name}`;
      const path = join(folder, name);
      const stats = isDigest(digest) ? await statsOf(path) : undefined;
      if (stats?.isFile() === true && isDigest(digest)) {
        found.push({ kind: "blob", path, digest, usedAt: stats.mtimeMs, busy: false, files: [fileOf(stats)] });
      }
    }
  }
  return found;
}

async function layouts(folder: string): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    const stats = await statsOf(path);
    if (stats?.isDirectory() !== true || name.endsWith(draftSuffix) || name.endsWith(leftSuffix)) continue;
    const files = await filesBelow(path);
    found.push({ kind: "layout", path, digest: digestIn(name), usedAt: stats.mtimeMs, busy: false, files });
  }
  return [...found, ...(await drafts(folder))];
}

async function drafts(folder: string): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  for (const fileName of await namesIn(folder)) {
    if (!fileName.endsWith(draftSuffix) && !fileName.endsWith(leftSuffix)) continue;
    const path = join(folder, fileName);
    const stats = await statsOf(path);
    if (!stats) continue;
    const files = stats.isDirectory() ? await filesBelow(path) : [fileOf(stats)];
    const draft = readDraftName(fileName);
    // One whose name says nothing of who writes it is anybody's for a day.
    const busy = draft?.busy ?? Date.now() - stats.mtimeMs < abandonedMs;
    found.push({ kind: "partial", path, digest: digestIn(fileName), usedAt: stats.mtimeMs, busy, files });
  }
  return found;
}

async function filesBelow(folder: string): Promise<readonly FileOnDisk[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files: FileOnDisk[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const stats = await statsOf(join(entry.parentPath, entry.name));
    if (stats) files.push(fileOf(stats));
  }
  return files;
}

function fileOf({ dev, ino, size, nlink }: Stats): FileOnDisk {
  return { id: `${dev}:${ino}`, bytes: size, names: nlink };
}

/** Of `sha256-<hex>` and whatever follows. */
function digestIn(name: string): Digest | undefined {
  const text = /^(sha256|sha512)-([0-9a-f]+)/.exec(name);
  const digest = `${text?.[1]}:${text?.[2]}`;
  return isDigest(digest) ? digest : undefined;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

// Others may be removing it.
async function statsOf(path: string): Promise<Stats | undefined> {
  return lstat(path).catch(() => undefined);
}
