import { type CancelSignal, FetchImageError } from "@fetch-image/core/registry-image";
import type { RegistryParts } from "./conversation.ts";
import { parseJsonBody } from "./json-body.ts";
import type { Target } from "./locate.ts";
import { type Evidence, evidence } from "./resolve.ts";
import { deadline } from "./transport/deadline.ts";
import { mediaTypeOf } from "./transport/headers.ts";
import { nextLink } from "./transport/link.ts";
import { protocolError } from "./transport/refusal.ts";
import type { Answer } from "./transport/transport.ts";

interface TagList {
  /** In the registry's order, each once. */
  readonly tags: readonly string[];
  /** Of the last page. */
  readonly evidence: Evidence;
}

/** The most that ECR gives; what asks for more is refused there. */
const pageSize = 1000;

/**
 * Every tag of the repository (OCI distribution-spec, "Listing Tags"). Rejects with `FI_IMAGE_UNKNOWN` where the registry
 * knows no such repository (registry-image-resource fails there, too), with `FI_ANSWER_TOO_LARGE` beyond the limits,
 * with `FI_REGISTRY_PROTOCOL` for what is no list of tags or leads back to a page that was read, and with
 * `FI_REGISTRY_UNTRUSTED` for a page that is on another origin.
 */
export async function listTags(parts: RegistryParts, target: Target, cancel: CancelSignal): Promise<TagList> {
  const { limits } = parts.settings;
  const tags = new Set<string>();
  const read = new Set<string>();
  let path: string | URL = `tags/list?n=${pageSize}`;
  let bytes = 0;
  for (let pages = 1; ; pages++) {
    const page: Page = await readPage(parts, target, { path, left: limits.tagListBytes - bytes, cancel });
    for (const tag of page.tags) tags.add(tag);
    if (tags.size > limits.tags) throw tooMany(target, `${limits.tags} tags`);
    if (!page.next) return { tags: [...tags], evidence: page.evidence };
    if (pages === limits.tagPages) throw tooMany(target, `${limits.tagPages} pages of tags`);
    for (const asked of [path, page.url]) if (asked instanceof URL) read.add(asked.href);
    if (read.has(page.next.href)) {
      throw protocolError(page.next.host, `leads back to a page of the tags of ${target.name} that was read before`);
    }
    bytes += page.bytes;
    path = page.next;
  }
}

interface Page {
  readonly tags: readonly string[];
  readonly url: URL;
  readonly next: URL | undefined;
  /** Its size. */
  readonly bytes: number;
  readonly evidence: Evidence;
}

async function readPage(
  { conversation, settings }: RegistryParts,
  target: Target,
  { path, left, cancel }: { readonly path: string | URL; readonly left: number; readonly cancel: CancelSignal },
): Promise<Page> {
  const subject = `the tags of ${target.name}`;
  using limit = deadline(cancel, { ms: settings.timeouts.exchangeMs, host: target.host });
  const answer = await conversation.ask(target, {
    method: "GET",
    path,
    accept: "application/json",
    purpose: "api",
    signal: limit.signal,
  });
  const { url } = answer;
  if (answer.status !== 200) throw await conversation.refused(target, answer, subject);
  const body = await answer.bytes(left, typeof path === "string" ? subject : `the rest of ${subject}`);
  const tags = tagsIn(body, answer, subject);
  return { tags, url, next: nextPage(answer, subject), bytes: body.length, evidence: evidence(answer) };
}

// No tags at all is `null`, or nothing, to a server written in Go.
function tagsIn(bytes: Uint8Array, answer: Answer, subject: string): readonly string[] {
  const wrong = (says: string): FetchImageError =>
    protocolError(answer.url.host, `answered with ${says} where ${subject} were due`, { status: answer.status });
  const body = parseJsonBody(bytes);
  if (!body) throw wrong(mediaTypeOf(answer.headers) === "text/html" ? "a web page" : "no JSON object");
  const tags: unknown = body["tags"] ?? [];
  if (!isTexts(tags)) throw wrong("JSON that is no list of texts");
  return tags;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function nextPage(answer: Answer, subject: string): URL | undefined {
  const link = nextLink(answer.headers);
  if (link === undefined) return undefined;
  const { host, origin, href } = answer.url;
  if (link === "malformed" || !URL.canParse(link.uri, href)) {
    throw protocolError(host, `names the next page of ${subject} in a Link that cannot be read`);
  }
  const next = new URL(link.uri, href);
  next.hash = "";
  if (next.origin === origin && next.username === "" && next.password === "") return next;
  const named = next.origin === "null" ? next.protocol : next.origin;
  throw new FetchImageError("FI_REGISTRY_UNTRUSTED", {
    message:
      next.origin === origin
        ? `${host} names a URL with credentials as the next page of ${subject}; it was not asked`
        : `${host} names ${named} for the next page of ${subject}; it was not asked`,
    hint: "All pages must come from the registry itself: ask its operator what the Link header of its tag lists says.",
    details: { host, named },
  });
}

function tooMany(target: Target, bound: string): FetchImageError {
  return new FetchImageError("FI_ANSWER_TOO_LARGE", {
    message: `${target.host} lists more than ${bound} for ${target.name}`,
    hint: "Give the source a `tag`, which needs no list, or raise the bounds (of the command: most-tags, most-tag-pages).",
    details: { host: target.host, subject: target.name },
  });
}
