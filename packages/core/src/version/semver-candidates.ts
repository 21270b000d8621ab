import type { Rejected } from "../facts/facts.ts";
import { tagFault } from "../image/reference-grammar.ts";
import { satisfiesConstraint } from "./constraint.ts";
import { compareSemanticVersions, parseSemanticVersion, type SemanticVersion } from "./semver.ts";
import type { SemverRule } from "./version-rule.ts";

export interface VersionTag {
  readonly tag: string;
  readonly version: SemanticVersion;
  /** Of two equally good names a digest gets the one that is looked at first. */
  readonly place: number;
  /** How much the tag says: 3.2.1 has two. */
  readonly dots: number;
}

/** A tag whose digest matters. Only the bare tag has no version. */
export type Candidate = VersionTag | { readonly tag: string; readonly version?: undefined; readonly place: number };

/** What the tags are to the rule, each looked at once and in their order; others are rejected, with the reason. */
export function candidatesAmong(rule: SemverRule, tags: readonly string[], rejected: Rejected[]): Candidate[] {
  return [...new Set(tags)].flatMap((tag, place): Candidate[] => {
    const read = readTag(rule, tag);
    if (typeof read === "string") {
      rejected.push({ candidate: tag, reason: read });
      return [];
    }
    const { version } = read;
    return [version === undefined ? { tag, place } : { tag, place, version, dots: version.text.split(".").length - 1 }];
  });
}

/** A final version is a better name than a pre-release; among its likes, one with more dots: 3.2.1 rather than 3.2. */
export function isBetterName(candidate: VersionTag, name: VersionTag): boolean {
  const [isFinal, isNameFinal] = [candidate.version.preRelease === "", name.version.preRelease === ""];
  return isFinal === isNameFinal ? candidate.dots > name.dots : isFinal;
}

/** Equals (3.2 and 3.2.0, each with its own digest) come in no order in the original; here what says more is newer. */
export function compareTags(a: VersionTag, b: VersionTag): number {
  const order = compareSemanticVersions(a.version, b.version) || a.dots - b.dots;
  if (order !== 0) return order;
  return a.tag < b.tag ? -1 : 1;
}

/** What the tag is to the rule, or why it is nothing. */
function readTag(
  { bareTag, suffix, constraint, preReleases }: SemverRule,
  tag: string,
): { readonly version?: SemanticVersion } | string {
  if (tagFault(tag) !== undefined) return "no tag is written like this";
  if (tag === bareTag) return constraint === undefined ? {} : "semver_constraint is set, and it is not a version";
  if (!tag.endsWith(suffix)) return `it is not of the variant: it does not end with ${suffix}`;
  const parsed = parseSemanticVersion(tag.slice(0, tag.length - suffix.length));
  if (!parsed.ok) return "it is not a version";
  const { version } = parsed;
  if (constraint !== undefined && !satisfiesConstraint(version, constraint))
    return "semver_constraint does not allow it";
  if (version.preRelease === "") return { version };
  if (preReleases === undefined) return "it is a pre-release or a variant, and pre_releases is not set";
  if (preReleases.dashIsVariant && version.preRelease.includes("-"))
    return "it is of another variant: it has a dash more";
  if (preReleases.prefixes.some((prefix) => version.preRelease.startsWith(prefix))) return { version };
  return `it is of another variant: no pre-release begins with any of ${preReleases.prefixes.join(", ")}`;
}
