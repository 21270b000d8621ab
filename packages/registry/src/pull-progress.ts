import type { Digest } from "@fetch-image/core/registry-image";
import type { Descriptor } from "./manifest.ts";

/** How far one blob is. `waiting` is before its turn, or for another fetch of this process that has it under way. */
export interface LayerProgress {
  readonly digest: Digest;
  readonly receivedBytes: number;
  readonly totalBytes: number;
  /** `present`: the store had it, or another fetch has brought it. `done`: this fetch has. */
  readonly state: "waiting" | "downloading" | "present" | "done";
}

/** How far a fetch is. Given once the manifest is known, whenever some megabytes have come, and at each blob's end. */
export interface ArtifactProgress {
  /** Of the blobs; those that the store had already count as received. */
  readonly receivedBytes: number;
  readonly totalBytes: number;
  readonly blobsDone: number;
  readonly blobsTotal: number;
  /** Config and layers, each once, in the order of the manifest. */
  readonly layers: readonly LayerProgress[];
}

/** One blob's part of the tally. */
export interface BlobTally {
  /** `from`: how much of the blob a partial download had left in the store. */
  downloading(from: number): void;
  received(count: number): void;
  done(state: "present" | "done"): void;
}

export interface Tally {
  of(digest: Digest): BlobTally;
}

// A terminal or a log wants to see that it moves; more often would cost without telling more.
const reportEveryBytes = 4 * 1024 * 1024;
// A report tells of every blob: of more than these, not at the end of each one.
const manyBlobs = 256;

/** Adds up what comes, and reports it at a bounded rate: each few megabytes, and when a blob begins or ends. */
export function createTally(
  blobs: readonly Descriptor[],
  onProgress: ((progress: ArtifactProgress) => void) | undefined,
): Tally {
  const totalBytes = blobs.reduce((sum, { size }) => sum + size, 0);
  const layers = new Map<Digest, { -readonly [Field in keyof LayerProgress]: LayerProgress[Field] }>(
    blobs.map(({ digest, size }) => [digest, { digest, receivedBytes: 0, totalBytes: size, state: "waiting" }]),
  );
  let [receivedBytes, reportedBytes, blobsDone] = [0, 0, 0];
  const report = (): void => {
    reportedBytes = receivedBytes;
    onProgress?.({
      receivedBytes,
      totalBytes,
      blobsDone,
      blobsTotal: layers.size,
      layers: [...layers.values()].map((layer) => ({ ...layer })),
    });
  };
  report();
  return {
    of(digest) {
      const layer = layers.get(digest);
      if (!layer) throw new RangeError(`${digest} is not in the tally`);
      const reach = (bytes: number): void => {
        receivedBytes += bytes - layer.receivedBytes;
        layer.receivedBytes = bytes;
      };
      return {
        downloading(from) {
          layer.state = "downloading";
          reach(from);
        },
        received(count) {
          reach(layer.receivedBytes + count);
          if (receivedBytes - reportedBytes >= reportEveryBytes) report();
        },
        done(state) {
          layer.state = state;
          reach(layer.totalBytes);
          blobsDone++;
          if (layers.size <= manyBlobs || blobsDone === layers.size) report();
        },
      };
    },
  };
}
