import { type CancelSignal, type Digest, FetchImageError } from "@fetch-image/core/registry-image";
import type { RegistryParts } from "../conversation.ts";
import { inParallel } from "../in-parallel.ts";
import type { Target } from "../locate.ts";
import { acceptManifests } from "../manifest.ts";
import type { Patience } from "../patience.ts";
import type { StoredManifest } from "../stored-image.ts";
import { deadline } from "../transport/deadline.ts";
import { single } from "../transport/headers.ts";
import type { ImageToPush } from "./image-to-push.ts";
import { type BlobOutcome, pushBlob } from "./push-blob.ts";
import { pushRefused, pushScopes } from "./push-refused.ts";

export interface PushImageOptions {
  /** Default: none; the image is there by its digest alone. */
  readonly tag?: string;
  /** Repositories of the same registry that may have some of the blobs, below its host: they are mounted, not sent. */
  readonly mountFrom?: readonly string[];
  readonly signal: CancelSignal;
}

export interface PushedImage {
  /** `domain/path[:tag]@digest`, what a kubelet pulls. */
  readonly reference: string;
  readonly digest: Digest;
  /** The registry that took it. */
  readonly host: string;
  /** Of blobs: how many were there, came from another repository of the registry, or were sent. */
  readonly blobs: { readonly [Outcome in BlobOutcome]: number };
  /** Of those that were sent. */
  readonly uploadedBytes: number;
}

export type Push = RegistryParts & {
  readonly target: Target;
  readonly patience: Patience;
  readonly options: PushImageOptions;
};

/**
 * Pushes as the OCI distribution API has it (distribution-spec, "Push"): blobs side by side, what the registry has left
 * out, then manifests by their digests, each behind what it lists, and the tag last. What the registry says that it has
 * got must be what was sent. An image that is there costs one question.
 */
export async function pushImage(push: Push, image: ImageToPush): Promise<PushedImage> {
  const { target, settings, options } = push;
  const { tag, signal } = options;
  const outcomes: Record<BlobOutcome, number> = { present: 0, mounted: 0, uploaded: 0 };
  let uploadedBytes = 0;
  const root = image.manifests.at(-1);
  if (root?.digest !== image.digest)
    throw new FetchImageError("FI_INTERNAL", { message: "an image without a manifest" });
  if (await hasManifest(push, root)) outcomes.present = image.blobs.length;
  else {
    await inParallel(image.blobs, { width: settings.limits.concurrentBlobs, signal }, async (blob, one) => {
      const outcome = await pushBlob(push, blob, one);
      outcomes[outcome]++;
      if (outcome === "uploaded") uploadedBytes += blob.size;
    });
    for (const manifest of image.manifests) await putManifest(push, manifest, manifest.digest);
  }
  if (tag !== undefined) await putManifest(push, root, tag);
  const reference = `${target.name}${tag === undefined ? "" : `:${tag}`}@${image.digest}`;
  return { reference, digest: image.digest, host: target.host, blobs: outcomes, uploadedBytes };
}

/** Whether the registry has the very manifest: then it has whatever that lists, too. */
function hasManifest(push: Push, { digest }: StoredManifest): Promise<boolean> {
  const { conversation, settings, target, patience, options } = push;
  const ask = async (): Promise<boolean> => {
    using limit = deadline(options.signal, { ms: settings.timeouts.exchangeMs, host: target.host });
    const answer = await conversation.ask(target, {
      method: "HEAD",
      path: `manifests/${digest}`,
      accept: acceptManifests,
      scopes: pushScopes(target),
      purpose: "api",
      signal: limit.signal,
    });
    if (answer.status === 200) return true;
    // Some answer for a repository that is not there yet as for one that nobody may see.
    if (answer.status === 404 || answer.status === 401 || answer.status === 403 || answer.status === 405) return false;
    throw await pushRefused(push, answer, `${target.name}@${digest}`);
  };
  return patience.insist(ask, options.signal);
}

async function putManifest(push: Push, manifest: StoredManifest, name: string): Promise<void> {
  const { conversation, settings, target, patience, options } = push;
  const { digest, mediaType, bytes } = manifest;
  const subject = `${target.name}${name === digest ? "@" : ":"}${name}`;
  const put = async (): Promise<void> => {
    using limit = deadline(options.signal, { ms: settings.timeouts.exchangeMs, host: target.host });
    const answer = await conversation.ask(target, {
      method: "PUT",
      path: `manifests/${name}`,
      accept: "*/*",
      headers: { "content-type": mediaType },
      body: bytes,
      scopes: pushScopes(target),
      purpose: "api",
      signal: limit.signal,
    });
    if (answer.status !== 201 && answer.status !== 200) throw await pushRefused(push, answer, subject);
    await answer.discard();
    const actual = single(answer.headers, "docker-content-digest");
    if (actual === undefined || actual === digest) return;
    throw new FetchImageError("FI_DIGEST_MISMATCH", {
      message: `${answer.url.host} was sent ${digest} as ${subject} and says that it has got ${actual.slice(0, 150)}`,
      details: { host: answer.url.host, status: answer.status, wanted: digest },
    });
  };
  await patience.insist(put, options.signal);
}
