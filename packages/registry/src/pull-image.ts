import { type CancelSignal, type Digest, FetchImageError } from "@fetch-image/core";
import type { RegistryParts } from "./conversation.ts";
import type { Target } from "./locate.ts";
import { acceptManifests, digestOf, type Manifest, parseManifest, type Platform } from "./manifest.ts";
import { pickPlatform } from "./platform.ts";
import { hostOf } from "./resolve.ts";
import { deadline } from "./transport/deadline.ts";
import { protocolError } from "./transport/refusal.ts";

/** Where manifests are asked for. */
type Source = RegistryParts & { readonly target: Target };

interface PulledManifest {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
}

/** The manifest of one image, its bytes checked. */
interface PulledImage extends PulledManifest {
  readonly manifest: Extract<Manifest, { kind: "image" }>;
  /** What its index says; undefined where there is none, or it says nothing. */
  readonly platform: Platform | undefined;
}

// An index may hold indexes; nobody nests them deeper than this.
const deepestIndex = 3;

/** The image with this digest; where that is an index, the one of it that is for `wanted`. */
export async function pullImage(
  source: Source,
  digest: Digest,
  wanted: Platform,
  signal: CancelSignal,
): Promise<PulledImage> {
  let { manifest, ...current } = await pullManifest(source, { digest }, signal);
  let platform: Platform | undefined;
  for (let depth = 0; manifest.kind === "index"; depth++) {
    const subject = `${source.target.name}@${current.digest}`;
    if (depth === deepestIndex) {
      throw protocolError(hostOf(source.target), `has an index within an index within an index as ${subject}`);
    }
    const child = pickPlatform(manifest.manifests, wanted, subject);
    platform = child.platform ?? platform;
    ({ manifest, ...current } = await pullManifest(source, child, signal));
  }
  return { ...current, manifest, platform };
}

async function pullManifest(
  { conversation, settings, target }: Source,
  { digest, size }: { readonly digest: Digest; readonly size?: number },
  signal: CancelSignal,
): Promise<PulledManifest> {
  const subject = `${target.name}@${digest}`;
  using limit = deadline(signal, { ms: settings.timeouts.exchangeMs, host: hostOf(target) });
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
  if (actual !== digest || (size !== undefined && bytes.length !== size)) {
    throw new FetchImageError("FI_DIGEST_MISMATCH", {
      message: `${answer.url.host} answered for ${subject} with ${bytes.length} bytes that hash to ${actual}`,
      details: { host: answer.url.host, status: answer.status, wanted: digest, actual },
    });
  }
  return { digest, bytes, manifest: parseManifest(bytes, answer, subject) };
}
