import type { Transform } from "node:stream";
import zlib from "node:zlib";
import type { ByteSource } from "./byte-source.ts";
import type { Complaints } from "./complaints.ts";
import { zstdPieces } from "./zstd-pieces.ts";

/**
 * Decompresses zstd: with Node's own decoder where it has one (from 22.15), else with a slower one in JavaScript.
 * @param run makes a stream of the decoder that is created, fed with the pieces
 */
export function unzstd(
  source: ByteSource,
  complaints: Complaints,
  run: (pieces: AsyncIterable<Buffer>, create: (options: object) => Transform) => Transform,
): AsyncIterable<Buffer> {
  const window = { bytes: 0 };
  const pieces = zstdPieces(source, complaints, (bytes) => (window.bytes = bytes));
  const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: object) => Transform };
  return createZstdDecompress === undefined
    ? inJavaScript(pieces, window, complaints)
    : native(run(pieces, createZstdDecompress), complaints);
}

async function* native(stream: Transform, complaints: Complaints): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    if (!String((error as { code?: unknown }).code).startsWith("ZSTD_")) throw error;
    throw complaints.invalid("its zstd data is damaged", undefined, error);
  }
}

async function* inJavaScript(
  pieces: AsyncIterable<Buffer>,
  window: { readonly bytes: number },
  complaints: Complaints,
): AsyncGenerator<Buffer> {
  const { Decompress } = await import("fzstd");
  let output: Buffer[] = [];
  let [given, moved] = [0, 0];
  const decoder = new Decompress((data) => {
    output.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    given += data.length;
  });
  const push = (piece: Buffer, final: boolean): Buffer[] => {
    try {
      decoder.push(piece, final);
    } catch (error) {
      throw complaints.invalid("its zstd data is damaged", undefined, error);
    }
    const ready = output;
    output = [];
    return ready;
  };
  for await (const piece of pieces) {
    yield* push(piece, false);
    // This decoder moves its whole window for each block. No writer makes blocks so small; they would cost hours.
    moved += window.bytes;
    if (moved > 4 * 1024 ** 3 && moved > 8192 * given) {
      throw complaints.invalid(`its zstd blocks are too small for their window of ${window.bytes} bytes`);
    }
  }
  yield* push(Buffer.alloc(0), true);
}
