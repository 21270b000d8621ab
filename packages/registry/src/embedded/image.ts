import { createHash } from "node:crypto";
import type { Digest, JsonObject } from "@fetch-image/core/registry-image";
import { type Descriptor, mediaTypes, type Platform, platformOf } from "../manifest.ts";
import { platformText } from "../platform.ts";
import { tarOf } from "./tar.ts";

/** What an image is made of. The same recipe gives the same digests, on any machine. */
export interface ImageRecipe {
  /** A layer each: a text stands for one file with that text, an object for files by their path, bytes for a ready tar. */
  readonly layers?: readonly (string | { readonly [path: string]: string } | Buffer)[];
  /** `linux/amd64`, `linux/arm64/v8`. When given, even one alone, an index is made with an image for each. */
  readonly platforms?: readonly string[];
  /** What a container of it runs with: `Env`, `Cmd`, `Labels`… (OCI image-spec, config.md). */
  readonly config?: JsonObject;
  /** Docker's older media types instead of OCI's. */
  readonly format?: "oci" | "docker";
  readonly annotations?: { readonly [key: string]: string };
  /** When its configs say it was made, whatever the text; `null` for configs that do not say. Default: a fixed time. */
  readonly created?: string | null;
}

/** Bytes as a registry keeps them. */
export interface StoredBlob {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** An image, ready to be pushed: blobs first, then manifests in this order, the last of them being the image's own. */
export interface BuiltImage {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly blobs: readonly StoredBlob[];
  readonly manifests: readonly StoredBlob[];
  /** The single images in it, by platform text; one when it is no index. */
  readonly platforms: { readonly [platform: string]: Digest };
  readonly layers: readonly Digest[];
}

/** Makes an image in memory. Layers are plain tars: what a compressor gives differs between versions of zlib. */
export function buildImage(recipe: ImageRecipe = {}): BuiltImage {
  const types = typesOf(recipe.format ?? "oci");
  const layers = (recipe.layers ?? ["hello\n"]).map((layer, at) =>
    blobOf(types.layer, Buffer.isBuffer(layer) ? layer : tarOf(filesOf(layer, at))),
  );
  const images = (recipe.platforms ?? ["linux/amd64"]).map((text) => singleImage(recipe, parsePlatform(text), layers));
  const index = recipe.platforms && blobOf(types.index, indexOf(types.index, images, recipe.annotations));
  const manifests = [...images.map(({ manifest }) => manifest), ...(index ? [index] : [])];
  const own = manifests.at(-1);
  if (!own) throw new RangeError("an image for no platform at all cannot be made");
  return {
    digest: own.digest,
    mediaType: own.mediaType,
    blobs: [...layers, ...images.map(({ config }) => config)],
    manifests,
    platforms: Object.fromEntries(images.map(({ platform, manifest }) => [platformText(platform), manifest.digest])),
    layers: layers.map(({ digest }) => digest),
  };
}

function filesOf(layer: string | { readonly [path: string]: string }, at: number): { readonly [path: string]: string } {
  return typeof layer === "string" ? { [`layer-${at + 1}.txt`]: layer } : layer;
}

interface SingleImage {
  readonly platform: Platform;
  readonly config: StoredBlob;
  readonly manifest: StoredBlob;
}

function singleImage(recipe: ImageRecipe, platform: Platform, layers: readonly StoredBlob[]): SingleImage {
  const types = typesOf(recipe.format ?? "oci");
  const { os, architecture, variant } = platform;
  const config = blobOf(types.config, {
    ...(recipe.created === null ? {} : { created: recipe.created ?? "2024-01-01T00:00:00Z" }),
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    config: recipe.config ?? {},
    // Plain tars: the layer's own digest is its diff id.
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
    history: layers.map(() => ({ created: "2024-01-01T00:00:00Z", created_by: "fetch-image" })),
  });
  const manifest = blobOf(types.manifest, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptorOf(config),
    layers: layers.map(descriptorOf),
    ...(recipe.annotations && !recipe.platforms ? { annotations: recipe.annotations } : {}),
  });
  return { platform, config, manifest };
}

function indexOf(mediaType: string, images: readonly SingleImage[], annotations: ImageRecipe["annotations"]): object {
  return {
    schemaVersion: 2,
    mediaType,
    manifests: images.map(({ manifest, platform }) => ({ ...descriptorOf(manifest), platform })),
    ...(annotations ? { annotations } : {}),
  };
}

function blobOf(mediaType: string, content: Buffer | object): StoredBlob {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content), "utf8");
  return { digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`, mediaType, bytes };
}

function descriptorOf({ mediaType, digest, bytes }: StoredBlob): Descriptor {
  return { mediaType, digest, size: bytes.length };
}

function parsePlatform(text: string): Platform {
  const [os, architecture, variant] = text.split("/");
  const platform = platformOf({ os, architecture, variant });
  if (!platform) throw new RangeError(`not a platform: ${text}; write it as linux/amd64 or linux/arm64/v8`);
  return platform;
}

function typesOf(format: "oci" | "docker"): { index: string; manifest: string; config: string; layer: string } {
  return format === "oci"
    ? {
        index: mediaTypes.ociIndex,
        manifest: mediaTypes.ociManifest,
        config: "application/vnd.oci.image.config.v1+json",
        layer: "application/vnd.oci.image.layer.v1.tar",
      }
    : {
        index: mediaTypes.dockerList,
        manifest: mediaTypes.dockerManifest,
        config: "application/vnd.docker.container.image.v1+json",
        layer: "application/vnd.docker.image.rootfs.diff.tar",
      };
}
