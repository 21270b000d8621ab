import type { CancelSignal, Digest } from "@fetch-image/core/registry-image";
import { applyLayer, type Tally } from "./apply-layer.ts";
import { createCancellation } from "./cancellation.ts";
import { createComplaints } from "./complaints.ts";
import { type DecompressedLayer, decompressLayer } from "./decompress.ts";
import { Disk } from "./disk.ts";
import { finish } from "./finish.ts";
import { defaultUnpackLimits, type UnpackLimits } from "./limits.ts";
import { asComplaint } from "./misfit.ts";
import { createPace } from "./pace.ts";
import { type Skipped, Skips } from "./skips.ts";
import { fillAside } from "./staging.ts";
import { Tree } from "./tree.ts";

export interface LayerToUnpack {
  readonly digest: Digest;
  /** The compressed bytes, as the registry has them. */
  open(): AsyncIterable<Uint8Array>;
  /** Of the uncompressed tar, from the config's `rootfs.diff_ids`: verified when given. */
  readonly diffId?: Digest;
}

export interface UnpackProgress {
  /** Which one is being applied, from 1. */
  readonly layer: number;
  readonly layers: number;
  /** Of files' contents, so far. */
  readonly bytes: number;
  readonly entries: number;
}

export interface UnpackOptions {
  /** The lowest first, as the manifest lists them. */
  readonly layers: readonly LayerToUnpack[];
  /** Absent or an empty directory; there when all is done, and not touched before. */
  readonly destination: string;
  /** Instead of those of {@link defaultUnpackLimits}. */
  readonly limits?: Partial<UnpackLimits>;
  readonly signal: CancelSignal;
  readonly onProgress?: (progress: UnpackProgress) => void;
}

export interface Unpacked {
  readonly entries: number;
  /** Of files' contents. */
  readonly bytes: number;
  /** What the layers have and the destination has not: devices, forbidden attributes. At most 1000, the last of which
   *  then says how many more. */
  readonly skipped: readonly Skipped[];
}

/**
 * Makes an image's root file system of its layers (OCI image-spec, layer.md): whiteouts, hard and symbolic links, fifos,
 * all twelve mode bits, times to the microsecond; owners as root; extended attributes where setfattr(1) is there and may.
 * Devices are skipped. A file system that tells names apart is assumed, and that nobody else writes into the directory
 * beside the destination that ends in `.part-` and six letters.
 *
 * Nothing is written elsewhere, whatever the layers say: a path above an entry is resolved as for a process whose root
 * the destination is, and a last name that is a link is replaced, never followed. Rejects, leaving nothing, with
 * `FI_LAYER_INVALID`, `FI_LAYER_TOO_LARGE`, `FI_DESTINATION_UNUSABLE`, `FI_ABORTED`, or as a layer's `open` does
 * (`FI_GET_FAILED` where that is no FetchImageError).
 */
export function unpackLayers(options: UnpackOptions): Promise<Unpacked> {
  return fillAside(options.destination, (directory) => fill(directory, options));
}

async function fill(directory: string, options: UnpackOptions): Promise<Unpacked> {
  const { layers, destination } = options;
  const limits = { ...defaultUnpackLimits, ...options.limits };
  using cancellation = createCancellation(options.signal);
  cancellation.throwIfAborted();
  const disk = new Disk(directory);
  const pace = createPace(cancellation);
  const tree = new Tree({ disk, limits, pace });
  const skips = new Skips();
  const progress = createProgress(options);
  const unpacking = { destination, tree, disk, limits, pace, skips, tally: progress.tally };
  const opened = layers.map((layer, index) => {
    const complaints = createComplaints(`layer ${index + 1} of ${layers.length} (${layer.digest})`, {
      layer: index + 1,
      digest: layer.digest,
    });
    let decompressed: DecompressedLayer | undefined;
    return {
      complaints,
      verified: layer.diffId !== undefined,
      open: () => (decompressed ??= decompressLayer(layer, { limits, complaints, cancellation })),
      close: () => decompressed?.close(),
    };
  });
  try {
    for (const [index, { complaints, verified, open, close }] of opened.entries()) {
      progress.begin(index + 1);
      const { chunks } = open();
      opened[index + 1]?.open();
      await applyLayer({ chunks, complaints, verified }, unpacking);
      close();
      progress.report();
    }
    const complaints = createComplaints("the image's layers");
    await finish(unpacking).catch((error: unknown) => {
      throw asComplaint(error, { complaints, limits, directory: destination });
    });
  } finally {
    for (const { close } of opened) close();
  }
  const { entries, bytes } = progress.tally;
  return { entries, bytes, skipped: skips.list() };
}

function createProgress({ layers, onProgress }: UnpackOptions): {
  readonly tally: Tally;
  begin(layer: number): void;
  report(): void;
} {
  let layer = 0;
  let reported = 0;
  const report = (): void => {
    reported = tally.bytes;
    onProgress?.({ layer, layers: layers.length, bytes: tally.bytes, entries: tally.entries });
  };
  const tally: Tally = {
    entries: 0,
    bytes: 0,
    heldBytes: 0,
    report() {
      if (tally.bytes - reported >= progressStep) report();
    },
  };
  return { tally, begin: (next) => (layer = next), report };
}

const progressStep = 4 * 1024 ** 2;
