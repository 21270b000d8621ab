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

/** The digest that a tag points to at one registry, undefined on 404. See core's `ImageRegistry.resolve`. */
export async function resolveTag(
  { conversation, settings }: RegistryParts,
  target: Target,
  tag: string,
  cancel: CancelSignal,
): Promise<{ readonly digest: Digest | undefined; readonly evidence: Evidence }> {
  const subject = `${target.name}:${tag}`;
  using limit = deadline(cancel, { ms: settings.timeouts.exchangeMs, host: hostOf(target) });
  const ask = (method: "HEAD" | "GET"): Promise<Answer> =>
    conversation.ask(target, {
      method,
      path: `manifests/${tag}`,
      accept: acceptManifests,
      purpose: "api",
      signal: limit.signal,
    });

  // The answer to a HEAD has no body to let go of.
  const head = await ask("HEAD");
  if (head.status === 404) return { digest: undefined, evidence: evidence(head) };
  if (head.status !== 200 && head.status !== 405) throw await conversation.refused(target, head, subject);
  if (head.status === 200) {
    refuseSchema1(head, subject, mediaTypeOf(head.headers));
    const digest = trustedDigest(head);
    if (digest) return { digest, evidence: evidence(head) };
  }

  const got = await ask("GET");
  if (got.status === 404) {
    await got.discard();
    return { digest: undefined, evidence: evidence(got) };
  }
  if (got.status !== 200) throw await conversation.refused(target, got, subject);
  const bytes = await got.bytes(settings.limits.manifestBytes, `the manifest of ${subject}`);
  parseManifest(bytes, got, subject);
  const digest = digestOf(bytes);
  refuseContradiction(got, subject, digest);
  return { digest, evidence: evidence(got) };
}

/** Whether a digest is still there: a HEAD by digest. */
export async function digestExists(
  { conversation, settings }: RegistryParts,
  target: Target,
  digest: string,
  cancel: CancelSignal,
): Promise<boolean> {
  using limit = deadline(cancel, { ms: settings.timeouts.exchangeMs, host: hostOf(target) });
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

/** The host that is asked first, for messages about a question that got no answer. */
export function hostOf(target: Target): string {
  return target.origins[0]?.host ?? target.domain;
}

// What a HEAD must say to be believed, as go-containerregistry has it; a proxy's login page says none of it.
function trustedDigest({ headers }: Answer): Digest | undefined {
  const digest = single(headers, "docker-content-digest") ?? "";
  const believable = isManifestType(mediaTypeOf(headers)) && contentLengthOf(headers) !== undefined;
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
  return { via: method, host: url.host, status, ...(rateLimit ? { rateLimit } : {}) };
}
