import type { Rejected } from "../facts/facts.ts";
import { isDigest } from "../image/digest.ts";
import type { CheckStep, RepositoryFacts, VersionCursor, WantedVersions } from "./check-step.ts";
import { regexStep } from "./regex-tags.ts";
import { semverStep } from "./semver-tags.ts";
import type { VersionRule } from "./version-rule.ts";

export interface CheckState {
  readonly cursor?: VersionCursor | undefined;
  readonly facts: RepositoryFacts;
  /** Default: all. */
  readonly want?: WantedVersions | undefined;
  /** For `newest`: what an earlier check by this very rule, without a cursor, answered last. */
  readonly previous?: VersionCursor | undefined;
}

/**
 * What a check by this rule does next, given the cursor and all that is known of the repository: the rules of
 * registry-image-resource, commands/check.go (VERSION-RULES.md). Pure: call it with what is known, get what it asks
 * for, add that, and call it again; it ends after at most four rounds, and at once where everything is known. For the
 * newest version alone there are more rounds of fewer questions.
 */
export function nextCheckStep(rule: VersionRule, { cursor, facts, want, previous }: CheckState): CheckStep {
  // The cursor's digest comes before the tag's own: it is never the newest.
  if (rule.mode === "tag") return tagStep(rule.tag, want === "newest" ? undefined : cursor, facts);
  const { tags } = facts;
  if (tags === undefined) return { next: "list-tags" };
  if (rule.mode === "tag_regex") return regexStep(rule, tags, { facts, want });
  return semverStep(rule, tags, { cursor, facts, want, previous });
}

/** Where the tag has moved since, the cursor's digest stays a version as long as the registry has it. */
function tagStep(tag: string, cursor: VersionCursor | undefined, { digests, present }: RepositoryFacts): CheckStep {
  const digest = digests.get(tag);
  if (digest === undefined) return { next: "resolve-tags", tags: [tag] };
  if (digest === "absent") return answer([], [{ candidate: tag, reason: "the registry has no such tag" }]);
  const now = { tag, digest };
  const { digest: known = "" } = cursor ?? {};
  if (known === digest || !isDigest(known)) return answer([now], []);
  const remains = present.get(known);
  if (remains === undefined) return { next: "probe-digest", digest: known };
  if (!remains) return answer([now], [{ candidate: known, reason: "the registry has it no more" }]);
  return answer([{ tag, digest: known }, now], []);
}

function answer(
  versions: Extract<CheckStep, { next: "answer" }>["versions"],
  rejected: readonly Rejected[],
): CheckStep {
  return { next: "answer", versions, rejected, candidates: 1 };
}
