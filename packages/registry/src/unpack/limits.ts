/** Where unpacking stops, whatever the layers say. */
export interface UnpackLimits {
  /** Of all files' contents together, holes included. */
  readonly bytes: number;
  /** Of all layers together, whiteouts included. */
  readonly entries: number;
  /** What comes before one entry: its pax records, GNU long names, sparse map. */
  readonly entryHeaderBytes: number;
  /** Of all extended attributes together; they wait in memory until the end. */
  readonly attributeBytes: number;
  /** Uncompressed to compressed bytes of one layer, asked once it has given 256 MiB. */
  readonly expansion: number;
  /** Of one entry's path, and of a link's target. */
  readonly pathBytes: number;
  /** How many names a path may have. */
  readonly depth: number;
}

/** Far beyond any image that is meant to run, and within what a disk and a process can bear. */
export const defaultUnpackLimits: UnpackLimits = {
  bytes: 64 * 1024 ** 3,
  entries: 2_000_000,
  // As Go's archive/tar, by which most layers are written and read.
  entryHeaderBytes: 1024 ** 2,
  attributeBytes: 64 * 1024 ** 2,
  expansion: 200,
  // Linux's PATH_MAX, its closing NUL aside.
  pathBytes: 4095,
  depth: 512,
};

/** Below this a layer may expand as it likes: an empty database file compresses a thousandfold. */
export const expansionFreeBytes: number = 256 * 1024 ** 2;
