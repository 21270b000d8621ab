import { createHash } from "node:crypto";
import { posix } from "node:path";
import { type CancelSignal, type Digest, FetchImageError } from "@fetch-image/core/registry-image";
import { isJsonBody, type JsonBody } from "../json-body.ts";
import { mediaTypes } from "../manifest.ts";
import { reasonOf } from "../transport/deadline.ts";
import { ByteSource } from "../unpack/byte-source.ts";
import { createComplaints } from "../unpack/complaints.ts";
import { defaultUnpackLimits } from "../unpack/limits.ts";
import { TarReader } from "../unpack/tar-reader.ts";
import { type FoundFile, readPiece } from "./artifact-files.ts";
import { artifactInvalid } from "./artifact-invalid.ts";
import { imageOfLayout, type LayoutLimits } from "./image-of-blobs.ts";
import type { BlobToPush, ImageToPush } from "./image-to-push.ts";
import { imageOfConfig } from "./image-of-config.ts";

/**
 * The image of an archive: of an OCI layout, or what `docker save` writes (and Concourse's `format: oci`). Of one that is
 * both, the layout, whose digests are those that its builder told. Nothing is unpacked: layers are pushed out of the
 * archive, as they lie. Throws `FI_ARTIFACT_INVALID`.
 */
export async function readArchive(file: FoundFile, limits: LayoutLimits, signal: CancelSignal): Promise<ImageToPush> {
  const entries = await entriesOf(file, signal);
  const archive: Archive = { file, entries };
  const index = entries.get("index.json");
  if (index && entries.has("oci-layout")) return await readLayoutArchive(archive, index, limits);
  if (entries.has("manifest.json")) return await readDockerArchive(archive, limits);
  throw artifactInvalid(file.name, "is no archive of an image: there is neither index.json nor manifest.json in it");
}

interface ArchiveEntry {
  readonly start: number;
  readonly size: number;
  readonly digest: Digest;
}

interface Archive {
  readonly file: FoundFile;
  /** Files by their names; links stand for what they lead to. */
  readonly entries: ReadonlyMap<string, ArchiveEntry>;
}

/** One reading of the whole: where everything is, and what it hashes to. */
async function entriesOf(file: FoundFile, signal: CancelSignal): Promise<ReadonlyMap<string, ArchiveEntry>> {
  const chunks = readPiece(file, { start: 0, end: file.size }) as AsyncIterable<Buffer>;
  const source = new ByteSource(chunks);
  const reader = new TarReader(source, {
    limits: defaultUnpackLimits,
    complaints: createComplaints(file.name),
    verified: true,
  });
  const entries = new Map<string, ArchiveEntry>();
  const links: [string, string][] = [];
  try {
    for (let entry; (entry = await reader.next());) {
      const name = posix.normalize(entry.name).replace(/^\/+/, "");
      if (entry.type === "symlink") links.push([name, posix.join(posix.dirname(name), entry.linkname)]);
      if (entry.type === "hardlink") links.push([name, posix.normalize(entry.linkname)]);
      if (entry.type !== "file" || entry.pieces) continue;
      if (entries.size + links.length > mostEntries)
        throw artifactInvalid(file.name, `has more than ${mostEntries} entries`);
      const start = source.position;
      const hash = createHash("sha256");
      for (let part; (part = await reader.content(chunkBytes));) {
        if (signal.aborted) throw reasonOf(signal);
        hash.update(part);
      }
      entries.set(name, { start, size: entry.size, digest: `sha256:${hash.digest("hex")}` });
    }
  } catch (error) {
    if (!FetchImageError.is(error) || !error.code.startsWith("FI_LAYER_")) throw error;
    throw artifactInvalid(file.name, `is no whole tar archive: ${error.message}`, error);
  }
  // Docker's older versions wrote a layer once and linked to it.
  for (const [name, target] of links) {
    const found = entries.get(target);
    if (found) entries.set(name, found);
  }
  return entries;
}

const mostEntries = 100_000;
const chunkBytes = 1024 * 1024;

async function readLayoutArchive(archive: Archive, index: ArchiveEntry, limits: LayoutLimits): Promise<ImageToPush> {
  const { file, entries } = archive;
  const pathOf = (digest: string): string => `blobs/${digest.replace(":", "/")}`;
  const nameOf = (digest: string): string => `${file.name}: ${pathOf(digest)}`;
  const bytes = await contentOf(archive, "index.json", index, limits.manifestBytes);
  return await imageOfLayout(
    { name: `${file.name}: index.json`, bytes },
    {
      nameOf,
      async find(digest) {
        const entry = entries.get(pathOf(digest));
        return entry && { size: entry.size, open: (from) => bytesOf(archive, entry, from) };
      },
      async read(digest, maxBytes) {
        const entry = entries.get(pathOf(digest));
        if (!entry) throw artifactInvalid(nameOf(digest), "is missing");
        return await contentOf(archive, pathOf(digest), entry, maxBytes);
      },
    },
    limits,
  );
}

/** `[{"Config", "RepoTags", "Layers"}]`, the lowest layer first. */
async function readDockerArchive(archive: Archive, limits: LayoutLimits): Promise<ImageToPush> {
  const { file, entries } = archive;
  const list = entries.get("manifest.json");
  const images = list && parseList(await contentOf(archive, "manifest.json", list, limits.manifestBytes));
  const [image, ...others] = images ?? [];
  if (!image) throw artifactInvalid(`${file.name}: manifest.json`, "is not what docker save writes");
  if (others.length > 0) throw artifactInvalid(file.name, `holds ${others.length + 1} images: only one can be run`);
  const entryOf = (name: string): ArchiveEntry => {
    const entry = entries.get(posix.normalize(name));
    if (!entry) throw artifactInvalid(`${file.name}: ${name}`, "is missing");
    return entry;
  };
  const config = await contentOf(archive, image.config, entryOf(image.config), limits.manifestBytes);
  const layers: BlobToPush[] = [];
  for (const name of image.layers) {
    const entry = entryOf(name);
    const mediaType = `${layerType}${await compressionOf(archive, entry)}`;
    layers.push({ digest: entry.digest, size: entry.size, mediaType, open: (from) => bytesOf(archive, entry, from) });
  }
  return imageOfConfig(config, layers);
}

function parseList(
  bytes: Uint8Array,
): readonly { readonly config: string; readonly layers: readonly string[] }[] | undefined {
  let list: unknown;
  try {
    list = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
  if (!Array.isArray(list) || !list.every(isJsonBody)) return undefined;
  const read = (list as readonly JsonBody[]).map(({ Config: config, Layers: layers }) =>
    typeof config === "string" && Array.isArray(layers) && layers.every((layer) => typeof layer === "string")
      ? { config, layers }
      : undefined,
  );
  return read.every((image) => image !== undefined) ? read : undefined;
}

const layerType = mediaTypes.ociManifest.replace("manifest.v1+json", "layer.v1.tar");

/** By the first bytes: what docker save calls `layer.tar` is compressed with some builders. */
async function compressionOf(archive: Archive, entry: ArchiveEntry): Promise<"" | "+gzip" | "+zstd"> {
  const magic = await contentOf(archive, "", { ...entry, size: Math.min(4, entry.size) }, 4);
  if (magic[0] === 0x1f && magic[1] === 0x8b) return "+gzip";
  return magic.length === 4 && Buffer.from(magic).readUInt32LE(0) === 0xfd2fb528 ? "+zstd" : "";
}

async function contentOf(archive: Archive, name: string, entry: ArchiveEntry, maxBytes: number): Promise<Buffer> {
  if (entry.size > maxBytes) {
    throw artifactInvalid(`${archive.file.name}: ${name}`, `has ${entry.size} bytes, more than ${maxBytes}`);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytesOf(archive, entry, 0)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function bytesOf({ file }: Archive, { start, size }: ArchiveEntry, from: number): AsyncIterable<Uint8Array> {
  return readPiece(file, { start: start + from, end: start + size });
}
