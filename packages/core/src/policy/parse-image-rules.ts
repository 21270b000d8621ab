import { isDigest } from "../image/digest.ts";
import { parseReference } from "../image/reference.ts";
import type { DigestRule, Enforcement, ImageRules, RepositoryRule } from "./image-rules.ts";

export type ParsedImageRules =
  { readonly ok: true; readonly rules: ImageRules } | { readonly ok: false; readonly text: string };

/**
 * Reads rules as settings have them: `ghcr.io/acme/*`, `quay.io/*=soft`, and among the denied `sha256:…` too. Gives back
 * the first text that is none.
 */
export function parseImageRules(texts: {
  readonly allowed?: readonly string[];
  readonly denied?: readonly string[];
  readonly digestRequired?: Enforcement | undefined;
}): ParsedImageRules {
  const { digestRequired } = texts;
  const allowed: RepositoryRule[] = [];
  const denied: RepositoryRule[] = [];
  const deniedDigests: DigestRule[] = [];
  for (const text of texts.allowed ?? []) {
    const { subject, enforcement } = ruleIn(text);
    if (!isPattern(subject)) return { ok: false, text };
    allowed.push({ repositories: subject, enforcement });
  }
  for (const text of texts.denied ?? []) {
    const { subject, enforcement } = ruleIn(text);
    if (isDigest(subject)) deniedDigests.push({ digest: subject, enforcement });
    else if (isPattern(subject)) denied.push({ repositories: subject, enforcement });
    else return { ok: false, text };
  }
  const rules = { allowed, denied, deniedDigests };
  return { ok: true, rules: digestRequired === undefined ? rules : { ...rules, digestRequired } };
}

function ruleIn(text: string): { readonly subject: string; readonly enforcement: Enforcement } {
  const [, subject = "", enforcement] = /^([^\s=]+)(?:=(hard|soft))?$/.exec(text.trim()) ?? [];
  return { subject, enforcement: enforcement === "soft" ? "soft" : "hard" };
}

/** A repository's name with its host, without tag and digest, stars anywhere. */
function isPattern(text: string): boolean {
  if (text === "*") return true;
  const [domain = "", ...path] = text.replaceAll("*", "x").split("/");
  // Alone, a star would be read as a name on Docker Hub.
  const host = /[.:]/.test(domain) || domain === "localhost" || !text.startsWith("*") ? domain : "x.example";
  const parsed = parseReference(`${host}/${path.join("/")}`);
  if (!parsed.ok || path.length === 0) return false;
  const { domain: read, tag, digest } = parsed.reference;
  return read === host && tag === undefined && digest === undefined;
}
