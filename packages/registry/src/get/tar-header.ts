const blockSize = 512;
/** What fits into eleven octal digits; beyond it, the size is written in binary, as GNU's tar does. */
const mostOctal = 8 ** 11 - 1;

/** The header of a plain file in a tar archive (POSIX ustar): mode 0644, owner 0, time 0, as Go writes one of these. */
export function tarHeader(name: string, size: number): Buffer {
  const block = Buffer.alloc(blockSize);
  if (Buffer.byteLength(name) > 100) throw new RangeError(`${name} is too long a name for a tar header`);
  block.write(name, 0);
  block.write("0000644", 100);
  block.write("0000000", 108);
  block.write("0000000", 116);
  if (size <= mostOctal) block.write(size.toString(8).padStart(11, "0"), 124);
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  block.write("00000000000", 136);
  block.write("        ", 148);
  block.write("0", 156);
  block.write("ustar\u000000", 257);
  block.write("0000000", 329);
  block.write("0000000", 337);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148);
  return block;
}

/** What follows a file of so many bytes, up to the next block. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((blockSize - (size % blockSize)) % blockSize);
}

export const tarEnd: Buffer = Buffer.alloc(2 * blockSize);
