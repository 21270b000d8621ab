import { createHash } from "node:crypto";
import { type ArtifactStore, type Digest, FetchImageError } from "@fetch-image/core";

/** An artifact store of a test's own. A layout is a name under which its parts are kept. */
export interface MemoryArtifacts extends ArtifactStore {
  readonly blobs: ReadonlyMap<Digest, Buffer>;
  readonly layouts: readonly Parameters<ArtifactStore["layout"]>[0][];
  /** Rejects every put from now on, before reading a byte. */
  failWith(error: Error): void;
}

export function memoryArtifacts(): MemoryArtifacts {
  const blobs = new Map<Digest, Buffer>();
  const layouts: Parameters<ArtifactStore["layout"]>[0][] = [];
  let failure: Error | undefined;
  return {
    blobs,
    layouts,
    failWith: (error) => void (failure = error),
    has: async (digest) => blobs.has(digest),
    async put(digest, bytes, { size }) {
      if (failure) throw failure;
      const chunks: Uint8Array[] = [];
      // It keeps no partials: every put is from the start.
      for await (const chunk of typeof bytes === "function" ? bytes(0) : bytes) chunks.push(chunk);
      const all = Buffer.concat(chunks);
      const [algorithm = ""] = digest.split(":");
      const actual = `${algorithm}:${createHash(algorithm).update(all).digest("hex")}`;
      if (actual !== digest || (size !== undefined && all.length !== size)) {
        throw new FetchImageError("FI_DIGEST_MISMATCH", { message: `not ${digest} but ${actual}` });
      }
      blobs.set(digest, all);
    },
    async *read(digest) {
      const blob = blobs.get(digest);
      if (!blob) throw new FetchImageError("FI_IMAGE_UNKNOWN", { message: `${digest} is not stored` });
      yield blob;
    },
    async layout(manifest) {
      for (const digest of [manifest.digest, ...manifest.blobs]) {
        if (!blobs.has(digest)) throw new Error(`a layout of ${digest}, which is not stored`);
      }
      layouts.push(manifest);
      return `/layouts/${manifest.digest}`;
    },
  };
}
