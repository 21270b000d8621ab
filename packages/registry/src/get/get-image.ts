import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type ArtifactStore,
  type CancelSignal,
  type Digest,
  FetchImageError,
  isDigest,
  type JsonObject,
  pullableRepository,
  type RegistryImageSource,
} from "@fetch-image/core/registry-image";
import type { OciRegistry } from "../image-registry.ts";
import type { WantedPlatform } from "../platform.ts";
import type { ArtifactProgress } from "../pull-progress.ts";
import type { StoredImage } from "../stored-image.ts";
import type { UnpackLimits } from "../unpack/limits.ts";
import { unpackLayers, type Unpacked, type UnpackProgress } from "../unpack/unpack-layers.ts";
import { archiveName, writeDockerArchive } from "./docker-archive.ts";
import { goJson, goMap } from "./go-json.ts";
import { type ImageConfig, imageConfig } from "./image-config.ts";
import { metadataOf, type MetadataField, type MetadataPatterns, metadataPatterns } from "./metadata.ts";
import { writeOciLayout } from "./oci-layout.ts";
import { type GetFormat, getParams } from "./params.ts";

/** What is to be got: all of it valid, nothing asked yet. */
export interface ImageGet {
  readonly source: RegistryImageSource;
  readonly digest: Digest;
  /** Of the version; empty where it has none. It names files and archives; the image is the digest's. */
  readonly tag: string;
  readonly format: GetFormat;
  readonly skipDownload: boolean;
  readonly platform: WantedPlatform | undefined;
  readonly patterns: MetadataPatterns;
}

export interface GetImageOptions {
  readonly registry: Pick<OciRegistry, "fetchImage" | "repositoryOf">;
  readonly store: ArtifactStore;
  readonly signal: CancelSignal;
  readonly onProgress?: (progress: ArtifactProgress) => void;
  readonly onUnpack?: (progress: UnpackProgress) => void;
  /** Instead of those of `defaultUnpackLimits`. */
  readonly limits?: Partial<UnpackLimits>;
}

export interface GotImage {
  readonly version: { readonly tag: string; readonly digest: Digest };
  readonly metadata: readonly MetadataField[];
  /** Undefined where nothing had to be downloaded. */
  readonly image: StoredImage | undefined;
  /** Of a root file system. */
  readonly unpacked: Unpacked | undefined;
}

/**
 * Reads what a get is asked for. Throws `FI_PAYLOAD_INVALID`, `FI_SOURCE_INVALID` and `FI_SOURCE_UNSUPPORTED` naming the
 * field: an image is got by its digest only, and never by what a tag points to by now.
 */
export function imageGet(
  source: RegistryImageSource,
  version: { readonly tag?: string | undefined; readonly digest?: string | undefined },
  params: JsonObject | undefined,
): ImageGet {
  const { tag = "", digest = "" } = version;
  if (!isDigest(digest)) throw noDigest(source, digest);
  const { platform = source.platform, ...rest } = getParams(params);
  if (rest.format === "oci") archiveName(source.repository, tag);
  return { source, digest, tag, platform, patterns: metadataPatterns(source), ...rest };
}

/**
 * Fills an empty directory as registry-image-resource's `in` does (upstream commands/in.go): `repository`, `tag` and
 * `digest` without a new line, and by format
 *
 * | format | files |
 * |---|---|
 * | `rootfs` | `rootfs/`, `metadata.json`, `labels.json` |
 * | `oci` | `image.tar`, `labels.json` |
 * | `oci-layout` | `oci/` |
 *
 * Rejects as `OciRegistry.fetchImage`, the store and `unpackLayers` do; the directory is of no use then.
 */
export async function getImage(get: ImageGet, directory: string, options: GetImageOptions): Promise<GotImage> {
  const { source, digest, tag, format, skipDownload, patterns } = get;
  const image = await download(get, options);
  const repository = await repositoryOf(source, options);
  // Not every image has a config that is one; who needs none does not look at it.
  const config = image && onlyOnce(() => imageConfig(options.store, image));
  const found = image && config && { image, config, repository, tag };
  const unpacked = found && !skipDownload ? await writeFormat[format](directory, found, options) : undefined;
  for (const [name, text] of Object.entries({ tag, digest, repository })) await writeFile(join(directory, name), text);
  const annotations = image?.image.annotations;
  const labels = patterns.labels && (await config?.())?.labels;
  return {
    version: { tag, digest },
    metadata: metadataOf({ repository, tag }, patterns, { annotations, labels }),
    image,
    unpacked,
  };
}

interface Found {
  readonly image: StoredImage;
  readonly config: () => Promise<ImageConfig>;
  readonly repository: string;
  readonly tag: string;
}

async function download(get: ImageGet, options: GetImageOptions): Promise<StoredImage | undefined> {
  const { source, digest, platform, skipDownload, format, patterns } = get;
  if (skipDownload && !patterns.annotations && !patterns.labels) return undefined;
  const { registry, store, signal, onProgress } = options;
  return await registry.fetchImage(source, digest, {
    store,
    signal,
    ...(platform ? { platform } : {}),
    everyPlatform: format === "oci-layout",
    content: skipDownload ? "config only" : "everything",
    ...(onProgress ? { onProgress } : {}),
  });
}

// As it is written; of ECR's with the host in front, which its login has told where no account does.
async function repositoryOf(source: RegistryImageSource, { registry, signal }: GetImageOptions): Promise<string> {
  const { repository, aws_region: region = "" } = source;
  if (region === "") return repository;
  return pullableRepository(source) ?? (await registry.repositoryOf(source, { signal }));
}

type WriteFormat = (directory: string, found: Found, options: GetImageOptions) => Promise<Unpacked | undefined>;

const writeFormat: { readonly [Format in GetFormat]: WriteFormat } = {
  async rootfs(directory, { image, config }, { store, signal, limits, onUnpack }) {
    const { cmd, entrypoint, env, user, labels, diffIds } = await config();
    const layers = image.image.layers.map(({ digest }, index) => {
      const diffId = diffIds[index];
      return { digest, open: () => store.read(digest), ...(diffId && { diffId }) };
    });
    const destination = join(directory, "rootfs");
    const unpacked = await unpackLayers({
      layers,
      destination,
      signal,
      ...(limits && { limits }),
      ...(onUnpack && { onProgress: onUnpack }),
    });
    await writeFile(join(directory, "metadata.json"), goJson({ cmd, entrypoint, env, user: user ?? "" }));
    await writeFile(join(directory, "labels.json"), goMap(labels ?? {}));
    return unpacked;
  },
  async oci(directory, { image, config, repository, tag }, { store, signal }) {
    const name = archiveName(repository, tag);
    await writeDockerArchive(join(directory, "image.tar"), image, { store, name, signal });
    const { labels } = await config();
    await writeFile(join(directory, "labels.json"), goMap(labels ?? {}));
    return undefined;
  },
  async "oci-layout"(directory, { image }, { store, signal }) {
    await writeOciLayout(join(directory, "oci"), image, { store, signal });
    return undefined;
  },
};

function onlyOnce<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

function noDigest({ repository }: RegistryImageSource, digest: string): FetchImageError {
  return new FetchImageError("FI_PAYLOAD_INVALID", {
    message: `invalid payload: the version of ${repository} to get has ${digest === "" ? "no digest" : "a digest that is none"}`,
    hint: "Give it as {tag, digest}, as a check answers it; an image is got by its digest only.",
    details: { field: "version.digest" },
  });
}
