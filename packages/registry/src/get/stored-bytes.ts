import type { ArtifactStore, CancelSignal, Digest } from "@fetch-image/core/registry-image";
import { aborted } from "../transport/deadline.ts";

/** A stored blob's bytes, verified by the store as they are read; rejects with `FI_ABORTED` once the signal aborts. */
export async function* storedBytes(
  store: ArtifactStore,
  digest: Digest,
  signal: CancelSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of store.read(digest)) {
    if (signal.aborted) throw aborted(signal.reason);
    yield chunk;
  }
}
