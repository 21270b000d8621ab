/**
 * Names in a tar are bytes, in no encoding: a layer may well hold two files whose names are no UTF-8. Between the archive
 * and the disk they are strings of one character a byte, so that no name changes on its way.
 */

/** What Node's file system functions take for the bytes: text where it is the same, which is faster. */
export function pathOnDisk(bytes: string): string | Buffer {
  // oxlint-disable-next-line no-control-regex
  return /^[\u0000-\u007f]*$/.test(bytes) ? bytes : Buffer.from(bytes, "latin1");
}

/** The bytes of a path as Node spells it. */
export function bytesOfPath(path: string): string {
  return Buffer.from(path, "utf8").toString("latin1");
}

/** For people: decoded where that is possible, quoted, control characters escaped, of a bounded length. */
export function shown(bytes: string): string {
  return JSON.stringify(readable(bytes.length > 256 ? `${bytes.slice(0, 256)}...` : bytes));
}

/** Decoded where that is possible. */
export function readable(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}
