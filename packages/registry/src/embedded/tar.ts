/** A tar archive (POSIX ustar) of small text files, the same bytes for the same files: owner 0, time 0, mode 0644. */
export function tarOf(files: { readonly [path: string]: string }): Buffer {
  const parts = Object.entries(files).flatMap(([path, text]) => {
    const data = Buffer.from(text, "utf8");
    return [header(path, data.length), data, Buffer.alloc((blockSize - (data.length % blockSize)) % blockSize)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * blockSize)]);
}

const blockSize = 512;

function header(path: string, size: number): Buffer {
  const name = Buffer.from(path, "utf8");
  if (name.length > 100) throw new RangeError(`a path in an embedded image has at most 100 bytes: ${path}`);
  const block = Buffer.alloc(blockSize);
  name.copy(block, 0);
  block.write("0000644", 100);
  block.write("0000000", 108);
  block.write("0000000", 116);
  block.write(octal(size), 124);
  block.write(octal(0), 136);
  block.write("        ", 148);
  block.write("0", 156);
  block.write("ustar\u000000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148);
  return block;
}

function octal(value: number): string {
  return value.toString(8).padStart(11, "0");
}
