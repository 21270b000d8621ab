import { type Digest, isDigest } from "./digest.ts";

/** A reference taken apart, its name normalised: `{domain: "docker.io", path: "library/busybox"}` for `busybox`. */
export interface ReferenceParts {
  /** Host, and port where one is given: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** What is wrong, and at which UTF-16 unit of the text, from 0. Never quotes more of the text than one character. */
export interface ReferenceFault {
  readonly at: number;
  readonly problem: string;
  /** The character at fault, where it is one. */
  readonly character?: string;
  readonly hint?: string;
}

/** Domain and path together. The grammar bounds the path alone, older software both; what all take is the latter. */
const longestName = 255;
const longestTag = 128;
const hexDigits = { sha256: 64, sha512: 128 } as const;
/** `name:tag@sha512:…`: nothing longer is looked at. */
const longestReference: number = longestName + 1 + longestTag + 1 + "sha512:".length + hexDigits.sha512;

/**
 * Reads a reference by the grammar of the distribution project (github.com/distribution/reference, regexp.go) and
 * normalises its name as Docker does (same place, normalize.go). Stricter where software in use is: a first segment
 * with capitals and neither dot nor port is no domain, a port is one that exists, a digest is sha256 or sha512.
 */
export function readReference(text: string): ReferenceParts | ReferenceFault {
  const mistake = lengthFault(text) ?? usualMistake(text) ?? characterFault(text);
  if (mistake !== undefined) return mistake;

  const at = text.indexOf("@");
  const nameAndTag = at === -1 ? text : text.slice(0, at);
  const colon = nameAndTag.indexOf(":", nameAndTag.lastIndexOf("/") + 1);
  const name = colon === -1 ? nameAndTag : nameAndTag.slice(0, colon);
  const tag = colon === -1 ? undefined : nameAndTag.slice(colon + 1);
  const digest = at === -1 ? undefined : text.slice(at + 1);

  const { domain, path, pathStart } = splitName(name);
  const fault =
    (domain === undefined ? undefined : domainFault(domain)) ??
    pathFault(path, pathStart) ??
    (tag === undefined ? undefined : shifted(tagFault(tag), colon + 1));
  if (fault !== undefined) return fault;
  if (digest !== undefined && !isDigest(digest)) return digestFault(digest, at + 1);

  const normalised = normaliseName(domain, path);
  const length = normalised.domain.length + 1 + normalised.path.length;
  if (length > longestName) {
    return { at: name.length - 1, problem: `registry and path have ${length} characters, more than ${longestName}` };
  }
  return {
    domain: normalised.domain,
    path: normalised.path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** Whether the first segment of a name is a registry's host rather than a part of the path. */
export function isDomain(segment: string): boolean {
  return segment === "localhost" || /[.:]/.test(segment);
}

/** What keeps a text from being a tag (`[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`); undefined when nothing does. */
export function tagFault(tag: string): ReferenceFault | undefined {
  if (tag === "") return { at: 0, problem: "the tag is empty" };
  if (tag.length > longestTag) {
    return { at: longestTag, problem: `the tag has ${tag.length} characters, more than ${longestTag}` };
  }
  const at = tag.search(/[^A-Za-z0-9_.-]/);
  if (at !== -1) return { at, problem: "the tag holds", character: characterAt(tag, at) };
  if (/^[.-]/.test(tag)) return { at: 0, problem: "the tag begins with", character: tag.charAt(0) };
  return undefined;
}

function lengthFault(text: string): ReferenceFault | undefined {
  if (text === "") return { at: 0, problem: "it is empty" };
  if (text.length <= longestReference) return undefined;
  return {
    at: longestReference,
    problem: `it has ${text.length} characters, and no reference has more than ${longestReference}`,
  };
}

function usualMistake(text: string): ReferenceFault | undefined {
  const userinfo = text.indexOf("@");
  if (userinfo !== -1 && text.includes("/", userinfo)) {
    return {
      at: userinfo,
      problem: `what stands before "@" looks like credentials, and a reference holds none`,
      hint: "Give them as `username` and `password` of the source.",
    };
  }
  const scheme = text.indexOf("://");
  if (scheme !== -1 && !text.slice(0, scheme).includes("/")) {
    return { at: scheme, problem: "a reference has no scheme", hint: `Leave away everything up to "://".` };
  }
  if (/^[0-9a-f]{64}$/.test(text)) {
    return {
      at: 0,
      problem: "64 hex digits are an image's id, not a name",
      hint: "Give the repository too: repository@sha256:<64 hex>.",
    };
  }
  if (text.startsWith("[") && !text.includes("/")) {
    return { at: text.length, problem: "the path after the registry is missing" };
  }
  return undefined;
}

function characterFault(text: string): ReferenceFault | undefined {
  const at = text.search(/[^A-Za-z0-9._:@/[\]-]/);
  return at === -1 ? undefined : { at, problem: "it holds", character: characterAt(text, at) };
}

function splitName(name: string): { domain?: string; path: string; pathStart: number } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  if (!isDomain(first)) return { path: name, pathStart: 0 };
  return { domain: first, path: name.slice(slash + 1), pathStart: slash + 1 };
}

function normaliseName(domain: string | undefined, path: string): { domain: string; path: string } {
  const host = domain === undefined || domain === "index.docker.io" ? "docker.io" : domain;
  return { domain: host, path: host === "docker.io" && !path.includes("/") ? `library/${path}` : path };
}

function domainFault(domain: string): ReferenceFault | undefined {
  const address = /^\[[0-9A-Fa-f:]+\]/.exec(domain)?.[0];
  const host = address ?? domain.slice(0, `${domain}:`.indexOf(":"));
  const fault = address === undefined ? hostFault(host) : undefined;
  return fault ?? portFault(domain.slice(host.length), host.length);
}

function hostFault(host: string): ReferenceFault | undefined {
  const strange = host.search(/[^A-Za-z0-9.-]/);
  if (strange !== -1) return { at: strange, problem: "the registry's host holds", character: host.charAt(strange) };
  let at = 0;
  for (const label of host.split(".")) {
    if (label === "") return { at, problem: "the registry's host has an empty part" };
    if (label.startsWith("-")) return { at, problem: "a part of the registry's host begins with", character: "-" };
    at += label.length;
    if (label.endsWith("-")) return { at: at - 1, problem: "a part of the registry's host ends with", character: "-" };
    at += 1;
  }
  return undefined;
}

function portFault(colonAndPort: string, start: number): ReferenceFault | undefined {
  if (colonAndPort === "") return undefined;
  const port = colonAndPort.slice(1);
  if (!colonAndPort.startsWith(":") || !/^[0-9]+$/.test(port)) {
    return { at: start, problem: "what follows the registry's host is not a port of digits" };
  }
  if (Number(port) >= 1 && Number(port) <= 65_535) return undefined;
  return { at: start + 1, problem: "the registry's port is not between 1 and 65535" };
}

/** Components of `[a-z0-9]+` joined inside by `.`, `_`, `__` or any number of `-`; joined to each other by `/`. */
function pathFault(path: string, start: number): ReferenceFault | undefined {
  const strange = path.search(/[^a-z0-9._/-]/);
  if (strange !== -1) return strangeInPath(path, strange, start);
  let at = start;
  for (const component of path.split("/")) {
    if (component === "") return { at, problem: "the path has an empty part" };
    for (const { 0: separator, index } of component.matchAll(/[._-]+/g)) {
      const where = at + index;
      if (index === 0) return { at: where, problem: "a part of the path begins with", character: separator.charAt(0) };
      if (index + separator.length === component.length) {
        return { at: where, problem: "a part of the path ends with", character: separator.charAt(0) };
      }
      if (!/^(?:\.|__?|-+)$/.test(separator)) {
        return { at: where, problem: `the path has a separator other than ".", "_", "__" or dashes` };
      }
    }
    at += component.length + 1;
  }
  return undefined;
}

function strangeInPath(path: string, at: number, start: number): ReferenceFault {
  const character = characterAt(path, at);
  if (!/[A-Z]/.test(character)) return { at: start + at, problem: "the path holds", character };
  return {
    at: start + at,
    problem: "the path is not in lower case: it holds",
    character,
    hint: "Write the path in lower case. Only a registry's host may have capitals, and it has a dot or a port.",
  };
}

function digestFault(digest: string, start: number): ReferenceFault {
  const colon = digest.indexOf(":");
  const algorithm = digest.slice(0, Math.max(colon, 0));
  if (algorithm !== "sha256" && algorithm !== "sha512") {
    return { at: start, problem: `the digest begins with neither "sha256:" nor "sha512:"` };
  }
  const hex = digest.slice(colon + 1);
  const strange = hex.search(/[^0-9a-f]/);
  if (strange !== -1) {
    const problem = "the digest is not in lower-case hex digits: it holds";
    return { at: start + colon + 1 + strange, problem, character: hex.charAt(strange) };
  }
  const problem = `the digest has ${hex.length} hex digits; ${algorithm} has exactly ${hexDigits[algorithm]}`;
  return { at: start + digest.length, problem };
}

function shifted(fault: ReferenceFault | undefined, by: number): ReferenceFault | undefined {
  return fault === undefined ? undefined : { ...fault, at: fault.at + by };
}

function characterAt(text: string, at: number): string {
  return String.fromCodePoint(text.codePointAt(at) ?? 0);
}
