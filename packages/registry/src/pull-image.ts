import { type CancelSignal, type Digest, FetchImageError } from "@fetch-image/core/registry-image";
import type { RegistryParts } from "./conversation.ts";
import type { Target } from "./locate.ts";
import { acceptManifests, type Descriptor, digestOf, type Manifest, parseManifest, type Platform } from "./manifest.ts";
import type { Patience } from "./patience.ts";
import { pickPlatform } from "./platform.ts";
import type { StoredManifest } from "./stored-image.ts";
import { deadline } from "./transport/deadline.ts";
import { protocolError } from "./transport/refusal.ts";

/** Where manifests are asked for. Without patience, once. */
export type ManifestSource = RegistryParts & { readonly target: Target; readonly patience?: Patience };

export interface PulledManifest extends StoredManifest {
  readonly manifest: Manifest;
  /** Of the registry that gave it. */
  readonly host: string;
}

/** The manifest of one image, its bytes checked. */
export interface PulledImage extends PulledManifest {
  readonly manifest: Extract<Manifest, { kind: "image" }>;
  /** What its index says; undefined where there is none, or it says nothing. */
  readonly platform: Platform | undefined;
  /** From the one that was asked for to the image's own; just that one where there is no index. */
  readonly path: readonly [PulledManifest, ...PulledManifest[]];
}

// An index may hold indexes; nobody nests them deeper than this.
export const deepestIndex = 3;

/** The image with this digest; where that is an index, the one of it that is for `wanted`. */
export async function pullImage(
  source: ManifestSource,
  digest: Digest,
  wanted: Platform,
  signal: CancelSignal,
): Promise<PulledImage> {
  let current = await pullManifest(source, { digest }, signal);
  const path: [PulledManifest, ...PulledManifest[]] = [current];
  let platform: Platform | undefined;
  for (;;) {
    const { manifest } = current;
    if (manifest.kind === "image") return { ...current, manifest, platform, path };
    if (path.length > deepestIndex) throw tooDeep(source, current.digest);
    const child = pickPlatform(manifest.manifests, wanted, `${source.target.name}@${current.digest}`);
    platform = child.platform ?? platform;
    current = await pullManifest(source, child, signal);
    path.push(current);
  }
}

export function tooDeep({ target }: ManifestSource, digest: Digest): FetchImageError {
  const subject = `${target.name}@${digest}`;
  return protocolError(target.host, `has an index within an index within an index as ${subject}`);
}

/** The manifest or index with this digest, its bytes checked. */
export async function pullManifest(
  source: ManifestSource,
  wanted: Pick<Descriptor, "digest"> & { readonly size?: number },
  signal: CancelSignal,
): Promise<PulledManifest> {
  const ask = (): Promise<PulledManifest> => askOnce(source, wanted, signal);
  return source.patience ? source.patience.insist(ask, signal) : ask();
}

async function askOnce(
  { conversation, settings, target }: ManifestSource,
  { digest, size }: { readonly digest: Digest; readonly size?: number },
  signal: CancelSignal,
): Promise<PulledManifest> {
  const subject = `${target.name}@${digest}`;
  using limit = deadline(signal, { ms: settings.timeouts.exchangeMs, host: target.host });
  const answer = await conversation.ask(target, {
    method: "GET",
    path: `manifests/${digest}`,
    accept: acceptManifests,
    purpose: "api",
    signal: limit.signal,
  });
  if (answer.status !== 200) throw await conversation.refused(target, answer, subject);
  const bytes = await answer.bytes(settings.limits.manifestBytes, `the manifest ${subject}`);
  const actual = digestOf(bytes, digest);
  const { host } = answer.url;
  if (actual !== digest || (size !== undefined && bytes.length !== size)) {
    throw new FetchImageError("FI_DIGEST_MISMATCH", {
      message: `${host} answered for ${subject} with ${bytes.length} bytes that hash to ${actual}`,
      details: { host, status: answer.status, wanted: digest, actual },
    });
  }
  const manifest = parseManifest(bytes, answer, subject);
  return { digest, mediaType: manifest.mediaType, size: bytes.length, bytes, manifest, host };
}
