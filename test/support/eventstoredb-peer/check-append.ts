import type { PeerLog } from "./log.ts";

export const anyRevision = -2n;
export const streamExists = -4n;

export type AppendCheck =
  | { readonly kind: "fits"; readonly current: bigint }
  /** The very events stand there already; the last of them at `revision`. */
  | { readonly kind: "repeated"; readonly revision: bigint }
  | { readonly kind: "wrong-revision"; readonly actual: bigint }
  | { readonly kind: "deleted" };

/**
 * What becomes of an append: `CheckCommit` of the server's src/EventStore.Core/Services/Storage/ReaderIndex/IndexWriter.cs,
 * case by case. Ids count only as a repetition: the server does not mind an id that stands somewhere else.
 */
export function checkAppend(log: PeerLog, stream: string, expected: bigint, ids: readonly string[]): AppendCheck {
  const current = log.lastRevision(stream);
  const wrong: AppendCheck = { kind: "wrong-revision", actual: current };
  if (current === 2n ** 63n - 1n) return { kind: "deleted" };
  if (expected === streamExists) {
    if (log.isSoftlyDeleted(stream)) return { kind: "deleted" };
    if (current < 0n && log.lastRevision(`$$${stream}`) < 0n) return wrong;
  }
  if (expected === anyRevision || expected === streamExists) return checkByRecentIds(log, stream, current, ids);
  if (expected > current) return wrong;
  if (expected === current) return { kind: "fits", current };

  for (const [index, id] of ids.entries()) {
    if (log.eventAt(stream, expected + 1n + BigInt(index))?.id === id) continue;
    const startsAnew = index === 0 && expected === -1n && log.isSoftlyDeleted(stream);
    return startsAnew ? { kind: "fits", current } : wrong;
  }
  return ids.length === 0 ? wrong : { kind: "repeated", revision: expected + BigInt(ids.length) };
}

/** Best effort, from the ids that the server still remembers. */
function checkByRecentIds(log: PeerLog, stream: string, current: bigint, ids: readonly string[]): AppendCheck {
  let revision: bigint | undefined;
  for (const id of ids) {
    const known = log.recent(id);
    if (known === undefined || known.stream !== stream) {
      return revision === undefined ? { kind: "fits", current } : { kind: "wrong-revision", actual: current };
    }
    revision = known.revision;
  }
  return revision === undefined ? { kind: "fits", current } : { kind: "repeated", revision };
}
