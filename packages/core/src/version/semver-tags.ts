import type { Rejected } from "../facts/facts.ts";
import { type Digest, isDigest } from "../image/digest.ts";
import type { CheckStep, RepositoryFacts, TaggedDigest, VersionCursor, WantedVersions } from "./check-step.ts";
import { cursorFirst } from "./cursor-first.ts";
import { newestSemverStep } from "./newest-semver-tag.ts";
import { compareSemanticVersions } from "./semver.ts";
import { type Candidate, candidatesAmong, compareTags, isBetterName, type VersionTag } from "./semver-candidates.ts";
import type { SemverRule } from "./version-rule.ts";

export interface SemverCheck {
  readonly cursor?: VersionCursor | undefined;
  readonly facts: RepositoryFacts;
  readonly want?: WantedVersions | undefined;
  readonly previous?: VersionCursor | undefined;
}

/**
 * Every tag that is a version, each digest once, oldest first, the bare tag last (registry-image-resource,
 * commands/check.go, `checkRepository`). The cursor's tag is asked for before all others: where it still has the
 * cursor's digest, no tag up to its version matters.
 */
export function semverStep(
  rule: SemverRule,
  tags: readonly string[],
  { cursor, facts, want, previous }: SemverCheck,
): CheckStep {
  const { digests } = facts;
  const read = readOnce(rule, tags, cursor?.tag);
  const { candidates } = read;
  const rejected = [...read.rejected];

  const first = candidates.find(({ tag }) => tag === cursor?.tag);
  const mayHold = first?.version !== undefined && isDigest(cursor?.digest ?? "");
  if (mayHold && !digests.has(first.tag)) return { next: "resolve-tags", tags: [first.tag] };
  const after = mayHold && digests.get(first.tag) === cursor?.digest ? first : undefined;
  const wanted = after === undefined ? candidates : onlyAfter(after, candidates, rejected);

  if (want === "newest") return newestSemverStep(wanted, { facts, previous, rejected, candidates: candidates.length });

  const missing = wanted.map(({ tag }) => tag).filter((tag) => !digests.has(tag));
  if (missing.length > 0) return { next: "resolve-tags", tags: missing };
  const versions = oldestFirst(wanted, digests, rejected);
  return { next: "answer", versions, rejected, candidates: candidates.length };
}

interface ReadTags {
  readonly rule: SemverRule;
  readonly cursorTag: string | undefined;
  readonly candidates: readonly Candidate[];
  readonly rejected: readonly Rejected[];
}

const lastRead = new WeakMap<readonly string[], ReadTags>();

/** A check for the newest alone has a dozen steps over the same thousands of tags. */
function readOnce(rule: SemverRule, tags: readonly string[], cursorTag: string | undefined): ReadTags {
  const last = lastRead.get(tags);
  if (last !== undefined && last.rule === rule && last.cursorTag === cursorTag) return last;
  const rejected: Rejected[] = [];
  const read = { rule, cursorTag, candidates: candidatesAmong(rule, cursorFirst(tags, cursorTag), rejected), rejected };
  lastRead.set(tags, read);
  return read;
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
  for (const { digest, ...candidate } of found) {
    if (candidate.version === undefined) continue;
    const name = nameOf.get(digest);
    if (name === undefined || isBetterName(candidate, name)) nameOf.set(digest, candidate);
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
