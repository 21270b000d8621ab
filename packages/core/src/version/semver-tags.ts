import type { Rejected } from "../facts/facts.ts";
import { type Digest, isDigest } from "../image/digest.ts";
import { tagFault } from "../image/reference-grammar.ts";
import type { CheckStep, RepositoryFacts, TaggedDigest, VersionCursor } from "./check-step.ts";
import { satisfiesConstraint } from "./constraint.ts";
import { cursorFirst } from "./cursor-first.ts";
import { compareSemanticVersions, parseSemanticVersion, type SemanticVersion } from "./semver.ts";
import type { SemverRule } from "./version-rule.ts";

interface VersionTag {
  readonly tag: string;
  readonly version: SemanticVersion;
}

/** A tag whose digest matters. Only the bare tag has no version. */
type Candidate = VersionTag | { readonly tag: string; readonly version?: undefined };

/**
 * Every tag that is a version, each digest once, oldest first, the bare tag last (registry-image-resource,
 * commands/check.go, `checkRepository`). The cursor's tag is asked for before all others: where it still has the
 * cursor's digest, no tag up to its version matters.
 */
export function semverStep(
  rule: SemverRule,
  tags: readonly string[],
  { cursor, facts }: { readonly cursor: VersionCursor | undefined; readonly facts: RepositoryFacts },
): CheckStep {
  const { digests } = facts;
  const rejected: Rejected[] = [];
  const candidates = candidatesAmong(rule, cursorFirst(tags, cursor?.tag), rejected);

  const first = candidates.find(({ tag }) => tag === cursor?.tag);
  const mayHold = first?.version !== undefined && isDigest(cursor?.digest ?? "");
  if (mayHold && !digests.has(first.tag)) return { next: "resolve-tags", tags: [first.tag] };
  const after = mayHold && digests.get(first.tag) === cursor?.digest ? first : undefined;
  const wanted = after === undefined ? candidates : onlyAfter(after, candidates, rejected);

  const missing = wanted.map(({ tag }) => tag).filter((tag) => !digests.has(tag));
  if (missing.length > 0) return { next: "resolve-tags", tags: missing };

  return { next: "answer", versions: oldestFirst(wanted, digests, rejected), rejected };
}

function candidatesAmong(rule: SemverRule, tags: readonly string[], rejected: Rejected[]): Candidate[] {
  return [...new Set(tags)].flatMap((tag) => {
    const read = readTag(rule, tag);
    if (typeof read !== "string") return [read];
    rejected.push({ candidate: tag, reason: read });
    return [];
  });
}

/** What the tag is to the rule, or why it is nothing. */
function readTag({ bareTag, suffix, constraint, preReleases }: SemverRule, tag: string): Candidate | string {
  if (tagFault(tag) !== undefined) return "no tag is written like this";
  if (tag === bareTag) return constraint === undefined ? { tag } : "semver_constraint is set, and it is not a version";
  if (!tag.endsWith(suffix)) return `it is not of the variant: it does not end with ${suffix}`;
  const parsed = parseSemanticVersion(tag.slice(0, tag.length - suffix.length));
  if (!parsed.ok) return "it is not a version";
  const { version } = parsed;
  if (constraint !== undefined && !satisfiesConstraint(version, constraint))
    return "semver_constraint does not allow it";
  if (version.preRelease === "") return { tag, version };
  if (preReleases === undefined) return "it is a pre-release or a variant, and pre_releases is not set";
  if (preReleases.dashIsVariant && version.preRelease.includes("-"))
    return "it is of another variant: it has a dash more";
  if (preReleases.prefixes.some((prefix) => version.preRelease.startsWith(prefix))) return { tag, version };
  return `it is of another variant: no pre-release begins with any of ${preReleases.prefixes.join(", ")}`;
}

/** The bare tag has no place in the order and is always wanted. */
function onlyAfter(after: VersionTag, candidates: readonly Candidate[], rejected: Rejected[]): Candidate[] {
  return candidates.filter((candidate) => {
    const { tag, version } = candidate;
    if (candidate === after || version === undefined) return true;
    if (compareSemanticVersions(version, after.version) > 0) return true;
    rejected.push({ candidate: tag, reason: `it does not come after ${after.tag}, the version known so far` });
    return false;
  });
}

function oldestFirst(
  candidates: readonly Candidate[],
  digests: RepositoryFacts["digests"],
  rejected: Rejected[],
): TaggedDigest[] {
  const found = candidates.flatMap((candidate) => {
    const digest = digests.get(candidate.tag);
    if (digest !== undefined && digest !== "absent") return [{ ...candidate, digest }];
    rejected.push({ candidate: candidate.tag, reason: "the registry lists it, and has no such tag" });
    return [];
  });
  const nameOf = new Map<Digest, VersionTag>();
  for (const { tag, version, digest } of found) {
    if (version === undefined) continue;
    const name = nameOf.get(digest);
    if (name === undefined || isBetterName(version, name.version)) nameOf.set(digest, { tag, version });
  }
  for (const { tag, digest } of found) {
    const name = nameOf.get(digest);
    if (name === undefined || name.tag === tag) continue;
    rejected.push({ candidate: tag, reason: `it has the same digest as ${name.tag}, which says more` });
  }
  const bare = found.filter(({ version, digest }) => version === undefined && !nameOf.has(digest));
  const versions = [...nameOf].sort(([, a], [, b]) => compareTags(a, b)).map(([digest, { tag }]) => ({ tag, digest }));
  return [...versions, ...bare.map(({ tag, digest }) => ({ tag, digest }))];
}

/** A final version is a better name than a pre-release; among its likes, one with more dots: 3.2.1 rather than 3.2. */
function isBetterName(version: SemanticVersion, name: SemanticVersion): boolean {
  if ((version.preRelease === "") !== (name.preRelease === "")) return version.preRelease === "";
  return dots(version) > dots(name);
}

/** Equals (3.2 and 3.2.0, each with its own digest) come in no order in the original; here what says more is newer. */
function compareTags(a: VersionTag, b: VersionTag): number {
  const order = compareSemanticVersions(a.version, b.version) || dots(a.version) - dots(b.version);
  if (order !== 0) return order;
  return a.tag < b.tag ? -1 : 1;
}

function dots({ text }: SemanticVersion): number {
  return text.split(".").length - 1;
}
