import { type CancelSignal, type Digest, FetchImageError } from "@fetch-image/core/registry-image";
import type { RegistryParts } from "./conversation.ts";
import { parseJsonBody } from "./json-body.ts";
import type { Target } from "./locate.ts";
import { type Descriptor, digestOf } from "./manifest.ts";
import { pullImage } from "./pull-image.ts";
import { deadline } from "./transport/deadline.ts";
import { protocolError, tooLarge } from "./transport/refusal.ts";

/**
 * When the image with this digest was made, as its config says it; undefined where it says nothing. Of an index, the
 * linux/amd64 image's, whatever the source's platform: registry-image-resource asks without one (commands/check.go).
 * Every byte is checked against its digest.
 */
export async function createdOf(
  parts: RegistryParts & { readonly target: Target },
  digest: Digest,
  signal: CancelSignal,
): Promise<string | undefined> {
  const { manifest } = await pullImage(parts, digest, { os: "linux", architecture: "amd64" }, signal);
  const subject = `the config of ${parts.target.name}@${digest}`;
  const config = parseJsonBody(await pullConfig(parts, manifest.config, subject, signal));
  const { created = null } = config ?? {};
  if (config && (created === null || typeof created === "string")) return created ?? undefined;
  throw protocolError(parts.target.host, `has ${config ? "no text as `created` in" : "no JSON object as"} ${subject}`);
}

/** Remembers when images were made, by their digests. */
export interface CreationDates {
  of(digest: Digest, ask: () => Promise<string | undefined>): Promise<string | undefined>;
}

export function rememberDates(): CreationDates {
  const known = new Map<Digest, string | undefined>();
  return {
    async of(digest, ask) {
      const created = known.has(digest) ? known.get(digest) : await ask();
      // Least recently used first. What is longer is no time, and is not worth its memory.
      known.delete(digest);
      if ((created?.length ?? 0) <= 100) known.set(digest, created);
      const [oldest] = known.keys();
      if (known.size > mostDates && oldest !== undefined) known.delete(oldest);
      return created;
    },
  };
}

const mostDates = 10_000;

async function pullConfig(
  { conversation, settings, target }: RegistryParts & { readonly target: Target },
  { digest, size }: Descriptor,
  subject: string,
  signal: CancelSignal,
): Promise<Uint8Array> {
  const { configBytes } = settings.limits;
  if (size > configBytes) throw tooLarge(target.host, subject, configBytes);
  using limit = deadline(signal, { ms: settings.timeouts.exchangeMs, host: target.host });
  const answer = await conversation.ask(target, {
    method: "GET",
    path: `blobs/${digest}`,
    accept: "*/*",
    purpose: "api",
    signal: limit.signal,
  });
  if (answer.status !== 200) throw await conversation.refused(target, answer, subject);
  const bytes = await answer.bytes(size, subject);
  const actual = digestOf(bytes, digest);
  if (actual === digest) return bytes;
  throw new FetchImageError("FI_DIGEST_MISMATCH", {
    message: `${answer.url.host} answered for ${subject} with ${bytes.length} bytes that hash to ${actual}`,
    details: { host: answer.url.host, status: answer.status, wanted: digest, actual },
  });
}
