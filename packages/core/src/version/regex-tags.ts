import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { Rejected } from "../facts/facts.ts";
import { tagFault } from "../image/reference-grammar.ts";
import { showText } from "../image/show-text.ts";
import type { CheckStep, RepositoryFacts, TaggedDigest } from "./check-step.ts";
import { neverCreated, parseCreated } from "./created.ts";
import type { VersionRule } from "./version-rule.ts";

type RegexRule = Extract<VersionRule, { mode: "tag_regex" }>;

/**
 * Every tag that matches is a version, in the registry's order or by its image's creation, oldest first; digests are
 * not made unique, and there is no cursor (registry-image-resource, commands/check.go, `checkRepositoryRegex`).
 */
export function regexStep(rule: RegexRule, tags: readonly string[], { digests, created }: RepositoryFacts): CheckStep {
  const rejected: Rejected[] = [];
  const reject = (candidate: string, reason: string) => void rejected.push({ candidate, reason });

  const matching = tags.filter((tag) => {
    if (tagFault(tag) !== undefined) reject(tag, "no tag is written like this");
    else if (rule.regex.matches(tag)) return true;
    else reject(tag, "tag_regex does not match it");
    return false;
  });
  const missing = new Set(matching.filter((tag) => !digests.has(tag)));
  if (missing.size > 0) return { next: "resolve-tags", tags: [...missing] };

  const versions = matching.flatMap((tag): TaggedDigest[] => {
    const digest = digests.get(tag);
    if (digest !== undefined && digest !== "absent") return [{ tag, digest }];
    reject(tag, "the registry lists it, and has no such tag");
    return [];
  });
  if (!rule.byCreation) return { next: "answer", versions, rejected };
  const undated = new Set(versions.map(({ digest }) => digest).filter((digest) => !created.has(digest)));
  if (undated.size > 0) return { next: "read-created", digests: [...undated] };
  return byCreation(versions, created, rejected);
}

/** Images of the same time stay in the registry's order; the original has no order for them. */
function byCreation(
  versions: readonly TaggedDigest[],
  created: RepositoryFacts["created"],
  rejected: readonly Rejected[],
): CheckStep {
  const dated: { readonly version: TaggedDigest; readonly at: bigint }[] = [];
  for (const version of versions) {
    const text = created.get(version.digest) ?? neverCreated;
    const at = parseCreated(text);
    if (at === undefined) return { next: "fail", error: notATime(version, text) };
    dated.push({ version, at });
  }
  dated.sort((a, b) => (a.at === b.at ? 0 : a.at < b.at ? -1 : 1));
  return { next: "answer", versions: dated.map(({ version }) => version), rejected };
}

function notATime({ tag, digest }: TaggedDigest, text: string): FetchImageError {
  return new FetchImageError("FI_REGISTRY_PROTOCOL", {
    message: `the image of tag ${tag} cannot be put in order: its config has ${showText(text)} as the time it was created`,
    hint: "Push the image again with `created` in RFC 3339, or leave created_at_sort out.",
    details: { tag, digest },
  });
}
