import { FetchImageError } from "../errors/fetch-image-error.ts";
import { isDomain, readReference, type ReferenceFault, type ReferenceParts, tagFault } from "./reference-grammar.ts";
import { showCharacter, showText } from "./show-text.ts";

export type { ReferenceParts } from "./reference-grammar.ts";

/** An image reference, parsed once: what the user wrote, and what it means. */
export interface ImageReference extends ReferenceParts {
  /** As the user wrote it, for messages; `toString()` gives the same. */
  readonly text: string;
  /** Docker's short form of it, nothing added and nothing lost: `busybox`, `foo/bar:1`. Parses to the same image. */
  readonly familiar: string;
  /** Fully qualified, for keys: `docker.io/library/busybox:latest`; `:latest` only where neither tag nor digest is given. */
  readonly canonical: string;
  toString(): string;
}

export type ParsedReference =
  { readonly ok: true; readonly reference: ImageReference } | { readonly ok: false; readonly error: FetchImageError };

/**
 * Parses `[domain/]path[:tag][@digest]`. Never throws, whatever the text; takes time in proportion to its length.
 * The error (`FI_REFERENCE_INVALID`) says what is wrong and at which character (from 1, also in `details.position`);
 * it shows the text clipped and with everything cut that may be a secret.
 */
export function parseReference(text: string): ParsedReference {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const read = readReference(text);
  if ("problem" in read) return { ok: false, error: invalidReference(text, read) };
  const result = { ok: true, reference: Object.freeze(new Reference(text, read)) } as const;
  if (parsed.size === mostParsed) parsed.clear();
  parsed.set(text, result);
  return result;
}

// A build asks for the same repository in a dozen places, and a scheduler for the same few all day.
const parsed = new Map<string, ParsedReference>();
const mostParsed = 500;

/**
 * What is wrong with a repository and a tag, as {@link parseReference} of `repository:tag` tells it; undefined when nothing
 * is. Repositories are few and tags many: of one whose name is known only the tag is looked at.
 */
export function tagError(repository: string, tag: string): FetchImageError | undefined {
  const name = parseReference(repository);
  const isName = name.ok && name.reference.tag === undefined && name.reference.digest === undefined;
  if (isName && tagFault(tag) === undefined) return undefined;
  const both = parseReference(`${repository}:${tag}`);
  return both.ok ? undefined : both.error;
}

/** The reference with exactly the parts given: `domain/path`, `domain/path:tag`, `domain/path:tag@digest`… */
export function formatReference({ domain, path, tag, digest }: ReferenceParts): string {
  return withVersion(`${domain}/${path}`, { tag, digest });
}

/**
 * A repository at a version, `domain/path:tag@digest`: what the kubelet is given. `repository` is a name without tag
 * and digest, as {@link formatReference} gives it. Container runtimes pull by the digest and keep the tag for people.
 */
export function withVersion(
  repository: string,
  { tag, digest }: { readonly tag?: string | undefined; readonly digest?: string | undefined },
): string {
  return `${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** The host (and port) that answers the registry API for a domain; only Docker Hub's differs from its name. */
export function apiHost(domain: string): string {
  return domain === "docker.io" || domain === "index.docker.io" ? "registry-1.docker.io" : domain;
}

/** A reference that stands in the code: image`ghcr.io/acme/app:1.4`. Throws `FI_REFERENCE_INVALID`. */
export function image(text: TemplateStringsArray): ImageReference {
  // Callers that do not type-check could interpolate: then the pieces are not the whole text.
  const parsed = parseReference(text.raw.join("${…}"));
  if (!parsed.ok) throw parsed.error;
  return parsed.reference;
}

class Reference implements ImageReference {
  readonly text: string;
  readonly domain: string;
  readonly path: string;
  declare readonly tag?: string;
  declare readonly digest?: NonNullable<ReferenceParts["digest"]>;
  readonly familiar: string;
  readonly canonical: string;

  constructor(text: string, parts: ReferenceParts) {
    this.text = text;
    this.domain = parts.domain;
    this.path = parts.path;
    if (parts.tag !== undefined) this.tag = parts.tag;
    if (parts.digest !== undefined) this.digest = parts.digest;
    const name = `${parts.domain}/${parts.path}`;
    const qualified = formatReference(parts);
    this.familiar = familiarName(parts) + qualified.slice(name.length);
    this.canonical = qualified === name ? `${name}:latest` : qualified;
  }

  toString(): string {
    return this.text;
  }
}

function familiarName({ domain, path }: ReferenceParts): string {
  if (domain !== "docker.io") return `${domain}/${path}`;
  const [first = "", second, ...rest] = path.split("/");
  const short = first === "library" && second !== undefined && rest.length === 0 ? second : path;
  // Left short, these would be read as something else: another registry, or an image's id.
  const misread = /^[0-9a-f]{64}$/.test(short) || (short === path && isDomain(first));
  return misread ? `${domain}/${path}` : short;
}

function invalidReference(text: string, { at, problem, character, hint }: ReferenceFault): FetchImageError {
  const what = character === undefined ? problem : `${problem} ${showCharacter(character)}`;
  const shown = showText(text);
  return new FetchImageError("FI_REFERENCE_INVALID", {
    message: `${shown} is not an image reference: ${what} (at character ${at + 1})`,
    ...(hint === undefined ? {} : { hint }),
    details: { reference: shown.slice(1, -1), position: at + 1 },
  });
}
