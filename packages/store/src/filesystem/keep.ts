import type { Digest } from "@fetch-image/core/registry-image";
import type { Entry, FileOnDisk } from "./inventory.ts";

/** What pruning leaves in a store: all that at least one of these asks for. With none of them, nothing. */
export interface Keep {
  /** What was used no longer ago than this. */
  readonly usedWithinMs?: number;
  /** What was used last, up to so many bytes in all, what others of these rules keep included. */
  readonly bytes?: number;
  /** These, and what their manifests name. */
  readonly digests?: readonly Digest[];
}

/**
 * The entries to keep. `digests` holds what the rule's digests stand for, their parts included. What is being written
 * and what was used after `graceSince` is kept whatever the rules say: somebody may be about to use it.
 */
export function entriesToKeep(
  entries: readonly Entry[],
  { usedWithinMs, bytes }: Keep,
  {
    digests,
    now,
    graceSince,
  }: { readonly digests: ReadonlySet<Digest>; readonly now: number; readonly graceSince: number },
): ReadonlySet<Entry> {
  const since = Math.min(graceSince, usedWithinMs === undefined ? graceSince : now - usedWithinMs);
  const kept = new Set(
    entries.filter(({ busy, usedAt, digest }) => {
      return busy || usedAt >= since || (digest !== undefined && digests.has(digest));
    }),
  );
  if (bytes === undefined) return kept;
  const counted = createCount();
  for (const entry of kept) counted.add(entry.files);
  for (const entry of entries.toSorted(lastUsedFirst)) {
    // One that does not fit makes no room by itself for a smaller one that was used before it: that one may stay.
    if (kept.has(entry) || counted.bytes + counted.costOf(entry.files) > bytes) continue;
    counted.add(entry.files);
    kept.add(entry);
  }
  return kept;
}

/** Bytes of files, each counted once whatever names it has. */
export function sizeOf(entries: Iterable<Entry>): number {
  const count = createCount();
  for (const entry of entries) count.add(entry.files);
  return count.bytes;
}

/** Bytes that the disk has back when all these are gone: of files that have no other name. */
export function freedBy(entries: Iterable<Entry>): number {
  const names = new Map<string, { left: number; readonly bytes: number }>();
  for (const { files } of entries) {
    for (const file of files) {
      const known = names.get(file.id) ?? { left: file.names, bytes: file.bytes };
      known.left--;
      names.set(file.id, known);
    }
  }
  return [...names.values()].reduce((sum, { left, bytes }) => (left <= 0 ? sum + bytes : sum), 0);
}

function lastUsedFirst(first: Entry, second: Entry): number {
  return second.usedAt - first.usedAt || (first.path < second.path ? -1 : 1);
}

function createCount(): {
  readonly bytes: number;
  costOf(files: readonly FileOnDisk[]): number;
  add(files: readonly FileOnDisk[]): void;
} {
  const seen = new Set<string>();
  let total = 0;
  const fresh = (files: readonly FileOnDisk[]): readonly FileOnDisk[] => files.filter(({ id }) => !seen.has(id));
  return {
    get bytes() {
      return total;
    },
    costOf: (files) => fresh(files).reduce((sum, { bytes }) => sum + bytes, 0),
    add(files) {
      for (const { id, bytes } of fresh(files)) {
        if (seen.has(id)) continue;
        seen.add(id);
        total += bytes;
      }
    },
  };
}
