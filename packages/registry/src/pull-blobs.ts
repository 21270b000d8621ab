import type { Pull } from "./fetch-image.ts";
import { inParallel } from "./in-parallel.ts";
import type { Descriptor } from "./manifest.ts";
import { pullBlob } from "./pull-blob.ts";
import { type ArtifactProgress, createTally } from "./pull-progress.ts";
import { createSlots } from "./slots.ts";

/**
 * Brings the blobs, each different, that the store lacks into it, a few at a time. Resolves to the number of bytes that
 * came over the network. The first failure ends the others and is the one to be seen.
 */
export async function pullBlobs(
  pull: Pull,
  blobs: readonly Descriptor[],
  onProgress: ((progress: ArtifactProgress) => void) | undefined,
): Promise<number> {
  if (blobs.length === 0) return 0;
  const tally = createTally(blobs, onProgress);
  const { concurrentBlobs } = pull.settings.limits;
  const slots = createSlots(concurrentBlobs);
  let downloaded = 0;
  // The disk takes its time with what has come: the next body need not wait for that.
  const width = 2 * concurrentBlobs;
  await inParallel(blobs, { width, signal: pull.options.signal }, async (blob, signal) => {
    const mine = tally.of(blob.digest);
    const present = await pull.options.store.has(blob.digest);
    const count = present ? undefined : await pullBlob(pull, blob, { signal, slots, tally: mine });
    downloaded += count ?? 0;
    mine.done(count === undefined ? "present" : "done");
  });
  return downloaded;
}
