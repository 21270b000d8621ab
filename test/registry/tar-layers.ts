// Layers as a registry has them, and the unpacking of them.
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Digest } from "@fetch-image/core";
import { type LayerToUnpack, type Unpacked, type UnpackOptions, unpackLayers } from "@fetch-image/registry";

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** A layer of compressed, or plain, bytes; in chunks of `chunkBytes`. */
export function layerOf(bytes: Uint8Array, { diffId, chunkBytes = 64 * 1024 }: LayerOptions = {}): LayerToUnpack {
  return {
    digest: digestOf(bytes),
    ...(diffId !== undefined && { diffId }),
    async *open() {
      for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    },
  };
}

export interface LayerOptions {
  readonly diffId?: Digest;
  readonly chunkBytes?: number;
}

/** A gzipped layer of a tar, with its diff id. */
export function gzippedLayer(tar: Uint8Array, options: LayerOptions = {}): LayerToUnpack {
  return layerOf(gzipSync(tar, { level: 1 }), { diffId: digestOf(tar), ...options });
}

/** Unpacks tars, the lowest first. */
export function unpackTars(
  tars: readonly Uint8Array[],
  destination: string,
  options: Partial<UnpackOptions> = {},
): Promise<Unpacked> {
  const layers = tars.map((tar) => gzippedLayer(tar));
  return unpackLayers({ layers, destination, signal: new AbortController().signal, ...options });
}
