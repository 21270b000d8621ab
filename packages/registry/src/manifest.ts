import { createHash } from "node:crypto";
import { type Digest, FetchImageError, isDigest } from "@fetch-image/core/registry-image";
import { isJsonBody, type JsonBody, parseJsonBody } from "./json-body.ts";
import { mediaTypeOf } from "./transport/headers.ts";
import { protocolError } from "./transport/refusal.ts";
import type { Answer } from "./transport/transport.ts";

export const mediaTypes = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
} as const;

/**
 * Always all four. Registries answer 404 for what is not accepted, or convert it: distribution gives one platform's
 * manifest for a manifest list and schema 1 for schema 2, each with another digest.
 */
export const acceptManifests: string = Object.values(mediaTypes).join(", ");

const manifestTypes: ReadonlySet<string> = new Set(Object.values(mediaTypes));

/** A descriptor (OCI image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly platform?: Platform;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export type Manifest =
  | { readonly kind: "index"; readonly mediaType: string; readonly manifests: readonly Descriptor[] }
  | {
      readonly kind: "image";
      readonly mediaType: string;
      readonly config: Descriptor;
      readonly layers: readonly Descriptor[];
      readonly annotations: { readonly [key: string]: string };
    };

/** Whether a media type is one of the four that we accept. */
export function isManifestType(mediaType: string | undefined): boolean {
  return mediaType !== undefined && manifestTypes.has(mediaType);
}

/** Throws for Docker's schema 1: it has no digest that a runtime could pull by today. */
export function refuseSchema1(answer: Answer, subject: string, mediaType: string | undefined): void {
  if (!mediaType?.startsWith("application/vnd.docker.distribution.manifest.v1+")) return;
  throw new FetchImageError("FI_REGISTRY_PROTOCOL", {
    message: `${subject} is an image in Docker's schema 1, which no container runtime pulls any more`,
    hint: "Push it again with a current client.",
    details: { host: answer.url.host, status: answer.status, mediaType },
  });
}

/** The digest of bytes, by the algorithm of `like`. */
export function digestOf(bytes: Uint8Array, like: Digest | "sha256" = "sha256"): Digest {
  const algorithm = like.startsWith("sha512:") ? "sha512" : "sha256";
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Reads a manifest or an index from an answer's bytes. Throws `FI_REGISTRY_PROTOCOL` saying what is wrong with it. */
export function parseManifest(bytes: Uint8Array, answer: Answer, subject: string): Manifest {
  const announced = mediaTypeOf(answer.headers);
  refuseSchema1(answer, subject, announced);
  const wrong = (says: string): FetchImageError =>
    protocolError(answer.url.host, `answered for ${subject} ${says}`, { status: answer.status });
  const body = parseJsonBody(bytes);
  if (!body) {
    throw wrong(`${isMarkup(bytes) || announced === "text/html" ? "a web page" : "no JSON"} where a manifest was due`);
  }
  if (body["schemaVersion"] === 1)
    refuseSchema1(answer, subject, "application/vnd.docker.distribution.manifest.v1+json");
  const stated = typeof body["mediaType"] === "string" ? body["mediaType"] : undefined;
  if (isManifestType(announced) && isManifestType(stated) && announced !== stated) {
    throw wrong(`a manifest that calls itself ${stated} under the media type ${announced}`);
  }
  const mediaType = [announced, stated].find(isManifestType) ?? impliedType(body);
  if (mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList) {
    const manifests = descriptors(body["manifests"]);
    if (!manifests) throw wrong("an index whose entries are not descriptors");
    return { kind: "index", mediaType, manifests };
  }
  if (mediaType === undefined) throw wrong("JSON that is no image manifest");
  const [config] = descriptors([body["config"]]) ?? [];
  const layers = descriptors(body["layers"]);
  if (!config || !layers) throw wrong("a manifest whose config or layers are not descriptors");
  return { kind: "image", mediaType, config, layers, annotations: annotationsOf(body["annotations"]) };
}

function annotationsOf(value: unknown): { readonly [key: string]: string } {
  if (!isJsonBody(value)) return {};
  const texts = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return Object.fromEntries(texts);
}

function impliedType(body: JsonBody): string | undefined {
  if (body["schemaVersion"] !== 2) return undefined;
  if (Array.isArray(body["manifests"])) return mediaTypes.ociIndex;
  return Array.isArray(body["layers"]) ? mediaTypes.ociManifest : undefined;
}

function descriptors(value: unknown): readonly Descriptor[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const read = (value as unknown[]).map(descriptor);
  return read.every((item) => item !== undefined) ? read : undefined;
}

function descriptor(value: unknown): Descriptor | undefined {
  if (!isJsonBody(value)) return undefined;
  const { mediaType, digest, size, platform } = value;
  if (typeof mediaType !== "string" || typeof digest !== "string" || !isDigest(digest)) return undefined;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return undefined;
  const built = platformOf(platform);
  return { mediaType, digest, size, ...(built ? { platform: built } : {}) };
}

/** `{os, architecture, variant?}` as an index's entry and an image's config state it; undefined when they do not. */
export function platformOf(value: unknown): Platform | undefined {
  if (!isJsonBody(value)) return undefined;
  const { os, architecture, variant } = value;
  if (typeof os !== "string" || typeof architecture !== "string" || os === "" || architecture === "") return undefined;
  return { os, architecture, ...(typeof variant === "string" && variant !== "" ? { variant } : {}) };
}

function isMarkup(bytes: Uint8Array): boolean {
  return /^\s*</.test(Buffer.from(bytes.subarray(0, 256)).toString("latin1"));
}
