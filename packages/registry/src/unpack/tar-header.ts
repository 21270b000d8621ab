import type { Complaints } from "./complaints.ts";

/** One 512-byte header of a tar, as it stands there: POSIX ustar, GNU, star or V7. Texts are bytes (byte-text.ts). */
export interface TarHeader {
  readonly name: string;
  readonly linkname: string;
  /** One character; `\0` is V7's regular file. */
  readonly typeflag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of what follows the header. */
  readonly size: number;
  /** Seconds. */
  readonly mtime: number;
  readonly gnu: boolean;
}

export const blockSize = 512;

export function isZeroBlock(block: Buffer): boolean {
  return block.equals(zeroBlock.subarray(0, block.length));
}

/** POSIX.1-2017 pax "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format". Throws `FI_LAYER_INVALID`. */
export function parseTarHeader(block: Buffer, complaints: Complaints): TarHeader {
  const magic = block.toString("latin1", 257, 265);
  const gnu = magic === "ustar  \0";
  const ustar = magic.startsWith("ustar\0");
  const star = ustar && block.toString("latin1", 508, 512) === "tar\0";
  const prefix = ustar ? textAt(block, 345, star ? 131 : 155) : "";
  const name = prefix === "" ? textAt(block, 0, 100) : `${prefix}/${textAt(block, 0, 100)}`;
  checkSum(block, name, complaints);
  const number = (start: number, length: number, field: string): number => {
    const value = parseTarNumber(block.subarray(start, start + length));
    if (value === undefined) throw complaints.invalid(`its header's ${field} is no number`, name);
    return value;
  };
  return {
    name,
    linkname: textAt(block, 157, 100),
    typeflag: block.toString("latin1", 156, 157),
    mode: number(100, 8, "mode"),
    uid: number(108, 8, "uid"),
    gid: number(116, 8, "gid"),
    size: number(124, 12, "size"),
    mtime: number(136, 12, "mtime"),
    gnu,
  };
}

/**
 * Octal digits between blanks, or base 256 when the first bit is set (GNU tar's manual, "Extensions"): two's complement
 * of the bits after it. Undefined when it is neither, or no safe integer.
 */
export function parseTarNumber(field: Buffer): number | undefined {
  const first = field[0] ?? 0;
  if ((first & 0x80) !== 0) return parseBase256(field, (first & 0x40) === 0 ? 0 : 0xff);
  const digits = /^[ \0]*([0-7]*) *(?:\0.*)?$/s.exec(field.toString("latin1"))?.[1];
  if (digits === undefined) return undefined;
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

function parseBase256(field: Buffer, sign: 0 | 0xff): number | undefined {
  let value = 0n;
  for (const [index, byte] of field.entries())
    value = value * 256n + BigInt((byte ^ sign) & (index === 0 ? 0x7f : 0xff));
  const number = Number(sign === 0 ? value : -1n - value);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** Up to the first NUL. */
export function textAt(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString("latin1", start, end === -1 || end > start + length ? start + length : end);
}

const zeroBlock = Buffer.alloc(blockSize);

// Old tars added signed characters; either sum is right. The sum's own place counts as blanks.
function checkSum(block: Buffer, name: string, complaints: Complaints): void {
  const stored = parseTarNumber(block.subarray(148, 156));
  let [unsigned, high] = [8 * 0x20, 0];
  for (let index = 0; index < blockSize; index++) {
    if (index >= 148 && index < 156) continue;
    const byte = block[index] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  if (stored !== unsigned && stored !== unsigned - 0x100 * high) {
    throw complaints.invalid("a header's checksum is wrong: damaged, or no tar at all", name === "" ? undefined : name);
  }
}
