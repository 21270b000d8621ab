import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { Rejected } from "../facts/facts.ts";
import type { Digest } from "../image/digest.ts";
import { tagFault } from "../image/reference-grammar.ts";
import { showText } from "../image/show-text.ts";
import type { CheckStep, RepositoryFacts, TaggedDigest, WantedVersions } from "./check-step.ts";
import { neverCreated, parseCreated } from "./created.ts";
import type { VersionRule } from "./version-rule.ts";

type RegexRule = Extract<VersionRule, { mode: "tag_regex" }>;

/**
 * Every tag that matches is a version, in the registry's order or by its image's creation, oldest first; digests are
 * not made unique, and there is no cursor (registry-image-resource, commands/check.go, `checkRepositoryRegex`). The
 * newest alone is found from the end of that order; by creation, every tag may be it.
 */
export function regexStep(
  rule: RegexRule,
  tags: readonly string[],
  { facts, want }: { readonly facts: RepositoryFacts; readonly want?: WantedVersions | undefined },
): CheckStep {
  const rejected: Rejected[] = [];
  const matching = matchingTags(rule, tags, rejected);
  if (want === "newest" && !rule.byCreation) return lastThere(matching, facts, rejected);

  const known = (tag: string) => facts.digests.get(tag) ?? (want === "newest" ? recent(tag, facts) : undefined);
  const missing = new Set(matching.filter((tag) => known(tag) === undefined));
  if (missing.size > 0) return { next: "resolve-tags", tags: [...missing] };

  const versions = matching.flatMap((tag): TaggedDigest[] => {
    const digest = known(tag);
    if (digest !== undefined && digest !== "absent") return [{ tag, digest }];
    rejected.push({ candidate: tag, reason: "the registry lists it, and has no such tag" });
    return [];
  });
  const candidates = matching.length;
  if (!rule.byCreation) return { next: "answer", versions, rejected, candidates };
  const undated = new Set(versions.map(({ digest }) => digest).filter((digest) => !facts.created.has(digest)));
  if (undated.size > 0) return { next: "read-created", digests: [...undated] };
  const dated = byCreation(versions, facts.created);
  if ("next" in dated) return dated;
  if (want !== "newest") return { next: "answer", versions: dated, rejected, candidates };
  const newest = dated.slice(-1);
  const unasked = newest.map(({ tag }) => tag).filter((tag) => !facts.digests.has(tag));
  if (unasked.length > 0) return { next: "resolve-tags", tags: unasked };
  return { next: "answer", versions: newest, rejected, candidates };
}

function matchingTags({ regex }: RegexRule, tags: readonly string[], rejected: Rejected[]): readonly string[] {
  return tags.filter((tag) => {
    if (tagFault(tag) === undefined && regex.matches(tag)) return true;
    const reason = tagFault(tag) === undefined ? "tag_regex does not match it" : "no tag is written like this";
    rejected.push({ candidate: tag, reason });
    return false;
  });
}

/** From the end, ever more tags at a time, until the registry has one. */
function lastThere(
  matching: readonly string[],
  { digests }: RepositoryFacts,
  rejected: readonly Rejected[],
): CheckStep {
  const last = matching.findLastIndex((tag) => digests.get(tag) !== "absent");
  const gone = matching.slice(last + 1);
  const passedOver = gone.map((tag) => ({ candidate: tag, reason: "the registry lists it, and has no such tag" }));
  const told = { rejected: [...passedOver, ...rejected], candidates: matching.length };
  const tag = matching[last];
  if (tag === undefined) return { next: "answer", versions: [], ...told };
  const digest = digests.get(tag);
  if (digest !== undefined && digest !== "absent") return { next: "answer", versions: [{ tag, digest }], ...told };
  const next = matching.slice(Math.max(0, last + 1 - Math.max(gone.length, 1)), last + 1);
  return { next: "resolve-tags", tags: [...new Set(next.filter((one) => !digests.has(one)))] };
}

function recent(tag: string, { recalled }: RepositoryFacts): Digest | "absent" | undefined {
  const recollection = recalled?.get(tag);
  return recollection?.recent === true ? recollection.digest : undefined;
}

/** Images of the same time stay in the registry's order; the original has no order for them. */
function byCreation(
  versions: readonly TaggedDigest[],
  created: RepositoryFacts["created"],
): readonly TaggedDigest[] | Extract<CheckStep, { next: "fail" }> {
  const dated: { readonly version: TaggedDigest; readonly at: bigint }[] = [];
  for (const version of versions) {
    const text = created.get(version.digest) ?? neverCreated;
    const at = parseCreated(text);
    if (at === undefined) return { next: "fail", error: notATime(version, text) };
    dated.push({ version, at });
  }
  dated.sort((a, b) => (a.at === b.at ? 0 : a.at < b.at ? -1 : 1));
  return dated.map(({ version }) => version);
}

function notATime({ tag, digest }: TaggedDigest, text: string): FetchImageError {
  return new FetchImageError("FI_REGISTRY_PROTOCOL", {
    message: `the image of tag ${tag} cannot be put in order: its config has ${showText(text)} as the time it was created`,
    hint: "Push the image again with `created` in RFC 3339, or leave created_at_sort out.",
    details: { tag, digest },
  });
}
