import { type FileHandle, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Position } from "@fetch-image/core/fetching";
import { draftName } from "./drafts.ts";
import { damaged } from "./errors.ts";

/** One file of an archive: whole streams of builds that were opened on one day. */
export interface ArchivedFile {
  readonly file: string;
  /** `2026-11-22`, UTC. */
  readonly day: string;
  readonly builds: number;
  readonly facts: number;
  /** Between which its facts stood in the store that they are from, both included. */
  readonly positions: { readonly first: Position; readonly last: Position };
  readonly bytes: number;
  /** Of the file as it is, in hex: what `sha256sum` says. */
  readonly sha256: string;
}

export interface Manifest {
  readonly files: readonly ArchivedFile[];
}

const manifestName = "manifest.json";

// Stands in archives: a reader knows what it reads by these two.
const format = "fetch-image-builds";
const version = 1;

/** Undefined where the directory holds no archive. Rejects with `FI_ARCHIVE_DAMAGED`, `FI_STORE_TOO_NEW`. */
export async function readManifest(directory: string): Promise<Manifest | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, manifestName), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  const found = parsed(text);
  if (found?.["format"] !== format) throw damaged(directory, manifestName, "is not a manifest of archived builds");
  if (found["version"] !== version) {
    throw damaged(directory, manifestName, `has format version ${String(found["version"])}; this one knows ${version}`);
  }
  const files: unknown = found["files"];
  if (!Array.isArray(files) || !files.every(isFile))
    throw damaged(directory, manifestName, "lacks what tells of a file");
  return { files };
}

/** Puts a manifest in the place of the one before; after a crash, one of the two is there whole. */
export async function writeManifest(directory: string, { files }: Manifest): Promise<void> {
  const draft = join(directory, draftName(manifestName));
  const handle = await open(draft, "wx", 0o600);
  try {
    await handle.writeFile(`${JSON.stringify({ format, version, files }, undefined, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await putInPlace(draft, directory, manifestName);
}

/** Gives a draft that is whole its name, and makes that last. */
export async function putInPlace(draft: string, directory: string, name: string): Promise<void> {
  await rename(draft, join(directory, name));
  await syncDirectory(directory);
}

/** Makes what stands in a directory last, as far as its names go. */
export async function syncDirectory(directory: string): Promise<void> {
  const folder: FileHandle = await open(directory, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export function fileName(day: string, part: number): string {
  return `builds-${day}${part === 1 ? "" : `.${part}`}.ndjson.gz`;
}

function parsed(text: string): { readonly [field: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

// A name that leads elsewhere is none.
const names = /^builds-\d{4,6}-\d\d-\d\d(?:\.\d{1,6})?\.ndjson\.gz$/;

function isFile(value: unknown): value is ArchivedFile {
  if (typeof value !== "object" || value === null) return false;
  const { file, day, builds, facts, positions, bytes, sha256 }: Partial<Record<keyof ArchivedFile, unknown>> = value;
  const { first, last }: { first?: unknown; last?: unknown } = typeof positions === "object" ? (positions ?? {}) : {};
  return (
    [file, day, first, last, sha256].every((text) => typeof text === "string") &&
    [builds, facts, bytes].every((count) => Number.isSafeInteger(count)) &&
    names.test(String(file)) &&
    /^[0-9a-f]{64}$/.test(String(sha256))
  );
}
