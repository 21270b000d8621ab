import { open } from "node:fs/promises";
import {
  type ArtifactStore,
  type CancelSignal,
  FetchImageError,
  parseReference,
} from "@fetch-image/core/registry-image";
import type { Descriptor } from "../manifest.ts";
import type { StoredImage } from "../stored-image.ts";
import { storedBytes } from "./stored-bytes.ts";
import { tarEnd, tarHeader, tarPadding } from "./tar-header.ts";

/**
 * Writes an image as `docker save` and go-containerregistry's tarball.Write do: the config, each layer once and as it
 * is compressed, and last `manifest.json`. `docker load` and skopeo's `docker-archive:` read it.
 */
export async function writeDockerArchive(
  path: string,
  { image }: StoredImage,
  { store, name, signal }: { readonly store: ArtifactStore; readonly name: string; readonly signal: CancelSignal },
): Promise<void> {
  const layers = image.layers.map((layer) => ({ layer, file: `${hexOf(layer)}.tar.gz` }));
  const manifest = Buffer.from(
    JSON.stringify([{ Config: image.config.digest, RepoTags: [name], Layers: layers.map(({ file }) => file) }]),
  );
  const file = await open(path, "wx");
  try {
    const entry = async (entryName: string, size: number, bytes: AsyncIterable<Uint8Array> | readonly Uint8Array[]) => {
      await file.writeFile(tarHeader(entryName, size));
      for await (const chunk of bytes) await file.writeFile(chunk);
      await file.writeFile(tarPadding(size));
    };
    await entry(image.config.digest, image.config.size, storedBytes(store, image.config.digest, signal));
    for (const [entryName, layer] of new Map(layers.map((each) => [each.file, each.layer]))) {
      await entry(entryName, layer.size, storedBytes(store, layer.digest, signal));
    }
    await entry("manifest.json", manifest.length, [manifest]);
    await file.writeFile(tarEnd);
  } finally {
    await file.close();
  }
}

/**
 * The name under which the archive is loaded: `index.docker.io/library/busybox:1.36`, as go-containerregistry writes
 * Docker Hub's names. That of the source, whatever mirror gave the bytes; without a tag, it is `latest`.
 */
export function archiveName(repository: string, tag: string): string {
  const parsed = parseReference(repository);
  if (!parsed.ok) throw parsed.error;
  const { domain, path } = parsed.reference;
  const named = `${domain === "docker.io" ? "index.docker.io" : domain}/${path}:${tag === "" ? "latest" : tag}`;
  if (parseReference(named).ok) return named;
  throw new FetchImageError("FI_PAYLOAD_INVALID", {
    message: "invalid payload: version.tag is no tag, and an archive is named by it",
    details: { field: "version.tag" },
  });
}

function hexOf({ digest }: Descriptor): string {
  return digest.slice(digest.indexOf(":") + 1);
}
