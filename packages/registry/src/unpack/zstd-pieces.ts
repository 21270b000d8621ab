import type { ByteSource } from "./byte-source.ts";
import type { Complaints } from "./complaints.ts";

/** As zstd's own decoder without `--long`, and Node's. */
const largestWindow = 128 * 1024 ** 2;
const largestBlock = 128 * 1024;

/**
 * Splits a zstd stream (RFC 8878, section 3.1) into frame headers, blocks and checksums, so that a decoder never meets a
 * window or a block larger than allowed, nor more than one block at once, and an end that is none is noticed whatever
 * the decoder thinks of it. Frames that hold no data are left out.
 */
export async function* zstdPieces(
  source: ByteSource,
  complaints: Complaints,
  onWindow: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  const exactly = async (length: number): Promise<Buffer> => {
    const bytes = await source.take(length);
    if (bytes.length === length) return bytes;
    throw complaints.invalid("its zstd data ends too early");
  };
  for (let magic; (magic = Buffer.from(await source.take(4))).length > 0;) {
    if (isSkippableFrame(magic)) {
      const size = (await exactly(4)).readUInt32LE();
      if (!(await source.skip(size))) throw complaints.invalid("its zstd data ends too early");
      continue;
    }
    if (!isZstdFrame(magic)) throw complaints.invalid("there are bytes after its zstd data");
    const descriptor = (await exactly(1))[0] ?? 0;
    const fields = Buffer.from(await exactly(fieldBytes(descriptor)));
    const window = windowOf(descriptor, fields);
    if (window > largestWindow) throw complaints.invalid(`its zstd window is ${window} bytes; zstd allows 128 MiB`);
    onWindow(Number(window));
    yield Buffer.concat([magic, Buffer.of(descriptor), fields]);
    for (let last = false; !last;) {
      const head = Buffer.from(await exactly(3));
      const bits = head.readUIntLE(0, 3);
      last = (bits & 1) === 1;
      const [type, size] = [(bits >> 1) & 3, bits >> 3];
      if (type === 3 || size > largestBlock) throw complaints.invalid("its zstd data is damaged");
      // A run of one byte is stored as that byte.
      yield Buffer.concat([head, await exactly(type === 1 ? 1 : size)]);
    }
    // A checksum; diff_id covers what it covers.
    if ((descriptor & 4) !== 0) yield Buffer.from(await exactly(4));
  }
}

export function isZstdFrame(bytes: Uint8Array): boolean {
  return bytes[0] === 0x28 && bytes[1] === 0xb5 && bytes[2] === 0x2f && bytes[3] === 0xfd;
}

/** Holds no data; some writers begin with one. */
export function isSkippableFrame(bytes: Uint8Array): boolean {
  return ((bytes[0] ?? 0) & 0xf0) === 0x50 && bytes[1] === 0x2a && bytes[2] === 0x4d && bytes[3] === 0x18;
}

const isSingleSegment = (descriptor: number): boolean => (descriptor & 0x20) !== 0;
const dictionaryBytes = (descriptor: number): number => [0, 1, 2, 4][descriptor & 3] ?? 0;

function sizeBytes(descriptor: number): number {
  const flag = descriptor >> 6;
  return flag === 0 ? (isSingleSegment(descriptor) ? 1 : 0) : 2 ** flag;
}

function fieldBytes(descriptor: number): number {
  return (isSingleSegment(descriptor) ? 0 : 1) + dictionaryBytes(descriptor) + sizeBytes(descriptor);
}

/** Of a frame that is one segment: all its content. */
function windowOf(descriptor: number, fields: Buffer): bigint {
  if (!isSingleSegment(descriptor)) {
    const [exponent, mantissa] = [(fields[0] ?? 0) >> 3, (fields[0] ?? 0) & 7];
    const base = 2n ** BigInt(10 + exponent);
    return base + (base / 8n) * BigInt(mantissa);
  }
  const size = fields.subarray(dictionaryBytes(descriptor));
  let value = 0n;
  for (const byte of size.toReversed()) value = value * 256n + BigInt(byte);
  return size.length === 2 ? value + 256n : value;
}
