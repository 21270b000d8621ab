import {
  type CancelSignal,
  type Digest,
  FetchImageError,
  isDigest,
  type RateLimit,
} from "@fetch-image/core/registry-image";
import type { RegistryParts } from "./conversation.ts";
import type { Target } from "./locate.ts";
import { acceptManifests, digestOf, isManifestType, parseManifest, refuseSchema1 } from "./manifest.ts";
import { deadline } from "./transport/deadline.ts";
import { contentLengthOf, mediaTypeOf, single } from "./transport/headers.ts";
import { rateLimitOf } from "./transport/rate-limit.ts";
import type { Answer } from "./transport/transport.ts";

/** Which answer told something, and what else it told. */
export interface Evidence {
  readonly via: "HEAD" | "GET";
  readonly host: string;
  readonly status: number;
  readonly rateLimit?: RateLimit;
}

/** What asking for a tag gives. */
export interface ResolvedTag {
  /** Undefined on 404. */
  readonly digest: Digest | undefined;
  readonly evidence: Evidence;
}

/** The digest that a tag points to at one registry. See core's `ImageRegistry.resolve`. */
export async function resolveTag(
  parts: RegistryParts,
  target: Target,
  tag: string,
  cancel: CancelSignal,
): Promise<ResolvedTag> {
  const limit = deadline(cancel, { ms: parts.settings.timeouts.exchangeMs, host: target.host });
  // `using` would compile to more than all of the rest of what a HEAD takes here.
  try {
    const head = await askForTag("HEAD", parts, target, { tag, signal: limit.signal });
    const resolved = believed(head, target, tag);
    if (resolved !== undefined) return resolved;
    // The answer to a HEAD has no body to let go of.
    if (head.status === 200 || head.status === 405) return await resolveByGet(parts, target, tag, limit.signal);
    throw await parts.conversation.refused(target, head, `${target.name}:${tag}`);
  } finally {
    limit[Symbol.dispose]();
  }
}

/** What the answer to a HEAD says of a tag, where that is to be believed. */
function believed(head: Answer, target: Target, tag: string): ResolvedTag | undefined {
  if (head.status === 404) return { digest: undefined, evidence: evidence(head) };
  if (head.status !== 200) return undefined;
  const mediaType = mediaTypeOf(head.headers);
  refuseSchema1(head, `${target.name}:${tag}`, mediaType);
  const digest = trustedDigest(head, mediaType);
  return digest && { digest, evidence: evidence(head) };
}

async function resolveByGet(
  parts: RegistryParts,
  target: Target,
  tag: string,
  signal: CancelSignal,
): Promise<ResolvedTag> {
  const subject = `${target.name}:${tag}`;
  const got = await askForTag("GET", parts, target, { tag, signal });
  if (got.status === 404) {
    await got.discard();
    return { digest: undefined, evidence: evidence(got) };
  }
  if (got.status !== 200) throw await parts.conversation.refused(target, got, subject);
  const bytes = await got.bytes(parts.settings.limits.manifestBytes, `the manifest of ${subject}`);
  parseManifest(bytes, got, subject);
  const digest = digestOf(bytes);
  refuseContradiction(got, subject, digest);
  return { digest, evidence: evidence(got) };
}

function askForTag(
  method: "HEAD" | "GET",
  { conversation }: RegistryParts,
  target: Target,
  { tag, signal }: { readonly tag: string; readonly signal: CancelSignal },
): Promise<Answer> {
  return conversation.ask(target, {
    method,
    path: `manifests/${tag}`,
    accept: acceptManifests,
    purpose: "api",
    signal,
  });
}

/** Whether a digest is still there: a HEAD by digest. */
export async function digestExists(
  { conversation, settings }: RegistryParts,
  target: Target,
  digest: string,
  cancel: CancelSignal,
): Promise<boolean> {
  using limit = deadline(cancel, { ms: settings.timeouts.exchangeMs, host: target.host });
  const question = {
    path: `manifests/${digest}`,
    accept: acceptManifests,
    purpose: "api",
    signal: limit.signal,
  } as const;
  const head = await conversation.ask(target, { method: "HEAD", ...question });
  const answer = head.status === 405 ? await conversation.ask(target, { method: "GET", ...question }) : head;
  await head.discard();
  if (answer.status !== 200 && answer.status !== 404) {
    throw await conversation.refused(target, answer, `${target.name}@${digest}`);
  }
  if (answer !== head) await answer.discard();
  return answer.status === 200;
}

// What a HEAD must say to be believed, as go-containerregistry has it; a proxy's login page says none of it.
function trustedDigest({ headers }: Answer, mediaType: string | undefined): Digest | undefined {
  const digest = single(headers, "docker-content-digest") ?? "";
  const believable = isManifestType(mediaType) && contentLengthOf(headers) !== undefined;
  return believable && digest.startsWith("sha256:") && isDigest(digest) ? digest : undefined;
}

function refuseContradiction(answer: Answer, subject: string, digest: string): void {
  const promised = single(answer.headers, "docker-content-digest");
  if (promised === undefined || !promised.startsWith("sha256:") || !isDigest(promised) || promised === digest) return;
  throw new FetchImageError("FI_DIGEST_MISMATCH", {
    message: `${answer.url.host} promised ${promised} for ${subject}, but its bytes are ${digest}`,
    details: { host: answer.url.host, status: answer.status, wanted: promised, actual: digest },
  });
}

export function evidence({ method, url, status, headers }: Answer): Evidence {
  const rateLimit = rateLimitOf(headers);
  const host = url.host;
  return rateLimit === undefined ? { via: method, host, status } : { via: method, host, status, rateLimit };
}
