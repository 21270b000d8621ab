import { createHash } from "node:crypto";
import { pipeline, Readable, type Transform } from "node:stream";
import { createGunzip } from "node:zlib";
import { type Digest, FetchImageError } from "@fetch-image/core/registry-image";
import { ByteSource } from "./byte-source.ts";
import type { Cancellation } from "./cancellation.ts";
import type { Complaints } from "./complaints.ts";
import { expansionFreeBytes, type UnpackLimits } from "./limits.ts";
import { unzstd } from "./zstd.ts";
import { isSkippableFrame, isZstdFrame } from "./zstd-pieces.ts";

export interface CompressedLayer {
  open(): AsyncIterable<Uint8Array>;
  readonly diffId?: Digest | undefined;
}

export interface DecompressOptions {
  readonly limits: UnpackLimits;
  readonly complaints: Complaints;
  readonly cancellation: Cancellation;
}

/** A layer's uncompressed tar on its way. */
export interface DecompressedLayer {
  readonly chunks: AsyncIterable<Buffer>;
  /** Gives back what reading it holds, whether or not it was read. */
  close(): void;
}

/**
 * The uncompressed tar of a layer: gzip of any number of members, zstd, or as it is, told apart by their first bytes,
 * because media types are often wrong. Begins at once, so that one layer is decompressed while another is applied.
 * Reading rejects with `FI_LAYER_INVALID` where the compressed data is damaged, cut or followed by anything, or what comes
 * out does not hash to `diffId`; with `FI_LAYER_TOO_LARGE` where it expands out of proportion.
 */
export function decompressLayer(layer: CompressedLayer, options: DecompressOptions): DecompressedLayer {
  const progress: Progress = { compressed: 0, stream: undefined };
  const compressed = readCompressed(layer, progress, options);
  const beginning = begin(compressed, progress, options);
  // Seen by whoever reads; until then it is no unhandled rejection.
  beginning.catch(() => undefined);
  return {
    chunks: checked(beginning, layer.diffId, progress, options),
    close() {
      progress.stream?.destroy();
      // Not waited for: what hangs in its own read ends when that does.
      void compressed.return(undefined).catch(() => undefined);
    },
  };
}

interface Progress {
  /** Bytes read so far. */
  compressed: number;
  /** The decoder's, where it has one. */
  stream: Transform | undefined;
}

async function begin(
  compressed: AsyncIterable<Buffer>,
  progress: Progress,
  { complaints, cancellation }: DecompressOptions,
): Promise<AsyncIterable<Buffer>> {
  const source = new ByteSource(compressed);
  const magic = Buffer.from(await source.take(4));
  const whole = (async function* (): AsyncGenerator<Buffer> {
    yield magic;
    yield* source.rest();
  })();
  const run = (input: AsyncIterable<Buffer>, stream: Transform): Transform => {
    progress.stream = stream;
    cancellation.onAbort((reason) => stream.destroy(reason));
    // A failure shows where the stream is read.
    pipeline(Readable.from(input, { highWaterMark: 2 }), stream, () => undefined);
    return stream;
  };
  if (magic[0] === 0x1f && magic[1] === 0x8b) return gunzip(run(whole, createGunzip(sizes)), progress, complaints);
  if (!isZstdFrame(magic) && !isSkippableFrame(magic)) return whole;
  return unzstd(new ByteSource(whole), complaints, (pieces, create) => run(pieces, create(sizes)));
}

/** Some of a layer is decompressed before anybody reads it, in another thread: 8 MiB. Zlib's streams hand this on. */
const sizes: object = { chunkSize: 256 * 1024, readableHighWaterMark: 8 * 1024 ** 2 };

async function* gunzip(
  stream: Transform & { bytesWritten?: number },
  progress: Progress,
  complaints: Complaints,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (!String(code).startsWith("Z_")) throw error;
    const what = code === "Z_BUF_ERROR" ? "its gzip data ends too early" : `its gzip data is damaged (${message})`;
    throw complaints.invalid(what, undefined, error);
  }
  if (stream.bytesWritten !== progress.compressed) throw complaints.invalid("there are bytes after its gzip data");
}

async function* readCompressed(
  layer: CompressedLayer,
  progress: Progress,
  { cancellation, complaints }: DecompressOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const chunks = layer.open()[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await cancellation.unlessAborted(chunks.next());
      ended = next.done === true;
      if (next.done === true) return;
      progress.compressed += next.value.length;
      yield Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    }
  } catch (error) {
    ended = true;
    if (FetchImageError.is(error)) throw error;
    throw new FetchImageError("FI_GET_FAILED", { message: `${complaints.subject} cannot be read`, cause: error });
  } finally {
    if (!ended) void chunks.return?.().catch(() => undefined);
  }
}

async function* checked(
  beginning: Promise<AsyncIterable<Buffer>>,
  diffId: Digest | undefined,
  progress: Progress,
  { limits, complaints }: DecompressOptions,
): AsyncGenerator<Buffer> {
  const [algorithm = "sha256"] = diffId?.split(":") ?? [];
  const hash = diffId && createHash(algorithm);
  let bytes = 0;
  for await (const chunk of await beginning) {
    bytes += chunk.length;
    if (bytes > expansionFreeBytes && bytes > limits.expansion * progress.compressed) {
      throw complaints.tooLarge(
        `${progress.compressed} bytes expand to ${bytes} and more`,
        "expansion",
        limits.expansion,
      );
    }
    hash?.update(chunk);
    yield chunk;
  }
  const actual = hash && `${algorithm}:${hash.digest("hex")}`;
  if (actual !== diffId) throw complaints.invalid(`it unpacks to ${actual}, the image's config promised ${diffId}`);
}
