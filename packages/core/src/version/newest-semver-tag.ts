import type { Rejected } from "../facts/facts.ts";
import type { Digest } from "../image/digest.ts";
import type { CheckStep, RepositoryFacts, TaggedDigest, VersionCursor } from "./check-step.ts";
import { compareSemanticVersions } from "./semver.ts";
import { type Candidate, compareTags, isBetterName, type VersionTag } from "./semver-candidates.ts";

export interface NewestSemver {
  readonly facts: RepositoryFacts;
  /** The newest version as an earlier check by this rule and without a cursor found it. */
  readonly previous: VersionCursor | undefined;
  /** Why other tags are no candidates. */
  readonly rejected: readonly Rejected[];
  /** Before a cursor. */
  readonly candidates: number;
}

/**
 * The last of the versions that a check for all of them would answer, and nothing asked that cannot change it
 * (VERSION-RULES.md, "The newest alone"). Every tag that would be a better name of the newest digest can: where nothing
 * is known of them, each is asked for.
 */
export function newestSemverStep(wanted: readonly Candidate[], check: NewestSemver): CheckStep {
  const { digests } = check.facts;
  const versions = newestFirst(wanted);
  const bare = wanted.find(({ version }) => version === undefined);
  const memory = remember(versions, check);

  const opening = [...nextUnasked(versions, digests), ...(bare && !digests.has(bare.tag) ? [bare.tag] : [])];
  if (opening.length > 0) return ask(opening);
  const bareDigest = bare && digests.get(bare.tag);
  if (bare && bareDigest !== undefined && bareDigest !== "absent") {
    const covered = isCovered(bareDigest, versions, memory);
    if (typeof covered === "object") return covered;
    if (!covered) return answer({ tag: bare.tag, digest: bareDigest }, wanted, check);
  }
  const newest = newestVersion(versions, memory);
  return newest !== undefined && "next" in newest ? newest : answer(newest, wanted, check);
}

const lastSorted = new WeakMap<readonly Candidate[], readonly VersionTag[]>();

/** Sorted once for all steps of a check. */
function newestFirst(wanted: readonly Candidate[]): readonly VersionTag[] {
  const sorted =
    lastSorted.get(wanted) ??
    wanted.filter((candidate) => candidate.version !== undefined).toSorted((a, b) => compareTags(b, a));
  lastSorted.set(wanted, sorted);
  return sorted;
}

/** What is known of tags. */
interface Memory {
  readonly digests: RepositoryFacts["digests"];
  /** Asked for now, learned lately, or learned once and standing since the anchor holds; undefined where unknown. */
  of(candidate: VersionTag): Digest | "absent" | undefined;
  /** Whether the previous answer says that the candidate is no better name of the digest of `named`. */
  rulesOut(candidate: VersionTag, named: VersionTag): boolean;
  /** Questions about these tags: first whether the anchor holds, where that could spare them; then ever more of them. */
  ask(unknown: readonly VersionTag[]): CheckStep;
}

/**
 * The resource asks for no tag up to its cursor's version while that has its digest. So does this: while the newest
 * version that was known, the anchor, has its digest, versions up to it are taken to have theirs.
 */
function remember(versions: readonly VersionTag[], { facts, previous }: NewestSemver): Memory {
  const { digests, recalled } = facts;
  const known = (tag: string): string | undefined => {
    if (tag === previous?.tag && previous.digest !== undefined) return previous.digest;
    const digest = recalled?.get(tag)?.digest;
    return digest === "absent" ? undefined : digest;
  };
  const anchor = versions.find(({ tag }) => known(tag) !== undefined);
  const holds = anchor !== undefined && digests.get(anchor.tag) === known(anchor.tag);
  const isBelow = ({ version }: VersionTag): boolean =>
    anchor !== undefined && compareSemanticVersions(version, anchor.version) <= 0;
  const asked = versions.filter(({ tag }) => digests.has(tag)).length;
  return {
    digests,
    of(candidate) {
      const { tag } = candidate;
      const recollection = recalled?.get(tag);
      const stands = recollection?.recent === true || (holds && isBelow(candidate));
      return digests.get(tag) ?? (stands ? recollection?.digest : undefined);
    },
    rulesOut: (candidate, named) => holds && named === anchor && named.tag === previous?.tag && isBelow(candidate),
    ask(unknown) {
      if (anchor !== undefined && !digests.has(anchor.tag)) return ask([anchor.tag]);
      return ask(unknown.slice(0, Math.max(asked, 1)).map(({ tag }) => tag));
    },
  };
}

/** The newest tags there are, until one of them is one that the registry has; ever more of them at a time. */
function nextUnasked(versions: readonly VersionTag[], digests: RepositoryFacts["digests"]): readonly string[] {
  const gone = versions.findIndex(({ tag }) => digests.get(tag) !== "absent");
  const next = versions.slice(Math.max(gone, 0), Math.max(gone, 0) + Math.max(gone, 1));
  if (gone === -1 || digests.has(next[0]?.tag ?? "")) return [];
  return next.map(({ tag }) => tag).filter((tag) => !digests.has(tag));
}

/** Whether a version has the digest; what is only remembered to have it is asked whether it still does. */
function isCovered(digest: Digest, versions: readonly VersionTag[], memory: Memory): boolean | CheckStep {
  if (versions.some(({ tag }) => memory.digests.get(tag) === digest)) return true;
  const unknown = versions.filter((candidate) => memory.of(candidate) === undefined);
  const witness = versions.find((candidate) => memory.of(candidate) === digest);
  if (witness !== undefined) return ask([witness.tag]);
  return unknown.length > 0 ? memory.ask(unknown) : false;
}

/** From the newest tag down to the first that is its digest's name. */
function newestVersion(versions: readonly VersionTag[], memory: Memory): TaggedDigest | CheckStep | undefined {
  const names = namesAmong(versions, (candidate) => memory.of(candidate));
  for (const [walked, candidate] of versions.entries()) {
    const digest = memory.digests.get(candidate.tag);
    if (digest === undefined) {
      const next = versions.slice(walked, 2 * walked + 1);
      return ask(next.map(({ tag }) => tag).filter((tag) => !memory.digests.has(tag)));
    }
    if (digest === "absent") continue;
    const name = names.get(digest);
    if (name !== undefined && name !== candidate) {
      if (memory.digests.has(name.tag)) continue;
      return ask([name.tag]);
    }
    const unknown = versions.filter(
      (rival) =>
        memory.of(rival) === undefined && isRatherNamed(rival, candidate) && !memory.rulesOut(rival, candidate),
    );
    if (unknown.length > 0) return memory.ask(unknown);
    return { tag: candidate.tag, digest };
  }
  return undefined;
}

/** The best name of each digest, as far as tags are known. */
function namesAmong(versions: readonly VersionTag[], of: Memory["of"]): ReadonlyMap<Digest, VersionTag> {
  const names = new Map<Digest, VersionTag>();
  for (const candidate of versions) {
    const digest = of(candidate);
    if (digest === undefined || digest === "absent") continue;
    const name = names.get(digest);
    if (name === undefined || isRatherNamed(candidate, name)) names.set(digest, candidate);
  }
  return names;
}

function isRatherNamed(candidate: VersionTag, name: VersionTag): boolean {
  if (isBetterName(candidate, name)) return true;
  return candidate.place < name.place && !isBetterName(name, candidate);
}

function ask(tags: readonly string[]): CheckStep {
  return { next: "resolve-tags", tags };
}

function answer(
  newest: TaggedDigest | undefined,
  wanted: readonly Candidate[],
  { facts: { digests }, rejected, candidates }: NewestSemver,
): CheckStep {
  const versionTags = wanted.filter((candidate) => candidate.version !== undefined);
  const names = namesAmong(versionTags, ({ tag }) => digests.get(tag));
  // Older versions are not rejected: a check for all of them would answer them, too.
  const passedOver = wanted.flatMap(({ tag }): Rejected[] => {
    const digest = digests.get(tag);
    if (digest === undefined || tag === newest?.tag) return [];
    if (digest === "absent") return [{ candidate: tag, reason: "the registry lists it, and has no such tag" }];
    const name = names.get(digest)?.tag ?? tag;
    return name === tag ? [] : [{ candidate: tag, reason: `it has the same digest as ${name}, which says more` }];
  });
  const versions = newest === undefined ? [] : [newest];
  return { next: "answer", versions, rejected: [...passedOver, ...rejected], candidates };
}
