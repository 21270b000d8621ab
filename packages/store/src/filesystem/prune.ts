import { link, lstat, mkdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type Digest, isDigest } from "@fetch-image/core/registry-image";
import { blobPath } from "./blob-path.ts";
import { withStoreErrors } from "./disk-errors.ts";
import { draftName } from "./drafts.ts";
import { type Entry, inventory } from "./inventory.ts";
import { entriesToKeep, freedBy, type Keep, sizeOf } from "./keep.ts";
import { partialsFolder } from "./partial.ts";

export interface PruneOptions {
  /** Of the store. One that is not there holds nothing. */
  readonly directory: string;
  readonly keep: Keep;
  /** Further folders whose directories are pruned like the store's layouts: by their modification time. */
  readonly folders?: readonly string[];
  /** What was used no longer ago than this stays whatever `keep` says: a fetch may be about to use it. Default: an hour. */
  readonly graceMs?: number;
  /** Tells what would go, and removes nothing. */
  readonly dryRun?: boolean;
  /** Milliseconds since the Unix epoch. Default: now. */
  readonly now?: number;
}

export interface Pruned {
  readonly removed: Counts;
  /** That the disk has back: files that a layout which is kept, or somebody elsewhere, still has are not among them. */
  readonly removedBytes: number;
  readonly kept: Counts;
  readonly keptBytes: number;
}

/** Layouts include the directories of further folders; partials are what interrupted fetches have left. */
export interface Counts {
  readonly blobs: number;
  readonly layouts: number;
  readonly partials: number;
}

const hour = 60 * 60_000;

/**
 * Removes what `keep` does not ask for. Safe while other processes fetch: what is being written stays, and what is used
 * in the very moment stays too. A layout is there or gone as a whole; one that stays keeps its blobs, whether the store
 * does or not. Rejects as the store does.
 */
export function pruneArtifacts(options: PruneOptions): Promise<Pruned> {
  const root = resolve(options.directory);
  return withStoreErrors(root, () => prune(root, options));
}

async function prune(root: string, { keep, folders = [], graceMs = hour, dryRun = false, ...rest }: PruneOptions) {
  const { now = Date.now() } = rest;
  const entries = await inventory(root, folders);
  const digests = await withParts(root, keep.digests ?? []);
  const kept = new Set(entriesToKeep(entries, keep, { digests, now, graceSince: now - graceMs }));
  const removed: Entry[] = [];
  for (const entry of entries) {
    if (kept.has(entry)) continue;
    if (dryRun || (await remove(root, entry))) removed.push(entry);
    else kept.add(entry);
  }
  return {
    removed: countsOf(removed),
    removedBytes: freedBy(removed),
    kept: countsOf([...kept]),
    keptBytes: sizeOf(kept),
  };
}

/** Whether it is gone. It is put aside first: then nobody can begin to use it between our last look and its end. */
async function remove(root: string, { kind, path, usedAt }: Entry): Promise<boolean> {
  const folder = kind === "layout" ? dirname(path) : join(root, partialsFolder);
  const aside = draftName(join(folder, `doomed-${basename(path)}`));
  await mkdir(folder, { recursive: true });
  try {
    await rename(path, aside);
  } catch {
    // Another process has removed it, or goes on with it.
    return false;
  }
  const { mtimeMs } = await lstat(aside);
  if (mtimeMs <= usedAt) {
    await rm(aside, { recursive: true, force: true });
    return true;
  }
  if (kind === "layout") await rename(aside, path).catch(() => undefined);
  else await link(aside, path).catch(() => undefined);
  await rm(aside, { recursive: true, force: true });
  return false;
}

/** The digests, and all that their manifests in the store name, however nested. */
async function withParts(root: string, digests: readonly Digest[]): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>();
  const left = [...digests];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    left.push(...(await partsOf(root, next)));
  }
  return found;
}

// As large as anybody's manifests may be; what is larger is a layer.
const largestManifest = 8 * 1024 * 1024;

async function partsOf(root: string, digest: Digest): Promise<readonly Digest[]> {
  const path = blobPath(root, digest);
  const { size = 0 } = (await lstat(path).catch(() => undefined)) ?? {};
  if (size === 0 || size > largestManifest) return [];
  const { config, layers, manifests } = objectIn(await readFile(path, "utf8").catch(() => ""));
  const descriptors: unknown[] = [config, ...(Array.isArray(layers) ? layers : [])];
  if (Array.isArray(manifests)) descriptors.push(...(manifests as unknown[]));
  return descriptors.map(digestOf).filter((each) => each !== undefined);
}

function digestOf(descriptor: unknown): Digest | undefined {
  if (typeof descriptor !== "object" || descriptor === null || !("digest" in descriptor)) return undefined;
  const { digest } = descriptor;
  return typeof digest === "string" && isDigest(digest) ? digest : undefined;
}

function objectIn(text: string): { readonly [key: string]: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function countsOf(entries: readonly Entry[]): Counts {
  const count = (kind: Entry["kind"]): number => entries.filter((entry) => entry.kind === kind).length;
  return { blobs: count("blob"), layouts: count("layout"), partials: count("partial") };
}
