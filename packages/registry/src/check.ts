import {
  type CheckOptions,
  type Digest,
  FetchImageError,
  isDigest,
  nextCheckStep,
  type RateLimit,
  type RegistryCheck,
  type Rejected,
  type RepositoryFacts,
  showText,
  type TagCounts,
  type VersionRule,
} from "@fetch-image/core/registry-image";
import type { RegistryParts } from "./conversation.ts";
import { type CreationDates, createdOf } from "./created.ts";
import { inParallel } from "./in-parallel.ts";
import { listTags } from "./list-tags.ts";
import type { Target } from "./locate.ts";
import { type Questions, untilLimited } from "./questions.ts";
import { digestExists, type Evidence, type ResolvedTag, resolveTag } from "./resolve.ts";
import type { TagMemory } from "./tag-book.ts";
import { type Secrets, withoutSecrets } from "./transport/redact.ts";

interface TargetCheck {
  readonly rule: VersionRule;
  readonly options: CheckOptions;
  /** What earlier checks found out: a digest's image is always of the same time. */
  readonly dates: CreationDates;
  /** Of this target, for the source; of no use where the rule names the tag. */
  readonly memory: TagMemory | undefined;
}

export interface CheckParts extends RegistryParts {
  readonly conversation: Questions;
}

/** One check of one registry: asks what the rule asks for, until it answers. See core's `ImageRegistry.check`. */
export async function checkTarget(
  { settings, conversation: questions }: CheckParts,
  target: Target,
  { rule, options, dates, memory }: TargetCheck,
): Promise<RegistryCheck> {
  const { cursor, want, previous, signal } = options;
  // A rule that names the tag asks one question after the other.
  const parts = { settings, conversation: rule.mode === "tag" ? questions : untilLimited(questions) };
  const recalled = memory?.recall(
    options.recallMs === undefined ? Number.POSITIVE_INFINITY : settings.now() - options.recallMs,
  );
  const digests = knownDigests(rule, options, recalled);
  let facts: RepositoryFacts = { digests, present: nothing, created: nothing, ...(recalled && { recalled }) };

  const toldBy = new Map<string, Evidence>();
  let latest: Evidence | undefined;
  let rateLimit: RateLimit | undefined;
  const learn = (tag: string, { digest, evidence }: ResolvedTag): void => {
    digests.set(tag, digest ?? "absent");
    toldBy.set(tag, evidence);
    rateLimit = evidence.rateLimit ?? rateLimit;
    memory?.learn(tag, digest ?? "absent", settings.now());
  };
  const each = { width: settings.limits.concurrentQuestions, signal };
  try {
    for (;;) {
      const step = nextCheckStep(rule, { cursor, facts, want, previous });
      switch (step.next) {
        case "list-tags": {
          const list = await listTags(parts, target, signal);
          latest = list.evidence;
          rateLimit = latest.rateLimit ?? rateLimit;
          facts = { ...facts, tags: list.tags };
          memory?.keepOnly(list.tags);
          break;
        }
        case "resolve-tags":
          if (rule.mode === "tag") learn(rule.tag, await resolveTag(parts, target, rule.tag, signal));
          else {
            await inParallel(step.tags, each, async (tag, ended) =>
              learn(tag, await resolveTag(parts, target, tag, ended)),
            );
          }
          break;
        case "probe-digest":
          facts = {
            ...facts,
            present: new Map([[step.digest, await digestExists(parts, target, step.digest, signal)]]),
          };
          break;
        case "read-created": {
          const created = new Map(facts.created);
          await inParallel(step.digests, each, async (digest, ended) => {
            created.set(digest, await dates.of(digest, () => createdOf({ ...parts, target }, digest, ended)));
          });
          facts = { ...facts, created };
          break;
        }
        case "fail":
          throw step.error;
        case "answer": {
          const newest = rule.mode === "tag" ? rule.tag : step.versions.at(-1)?.tag;
          const evidence = toldBy.get(newest ?? "") ?? latest;
          if (!evidence) throw new FetchImageError("FI_INTERNAL", { message: `${target.name} was not asked` });
          const among = countsOf(rule, facts.tags, { candidates: step.candidates, asked: toldBy.size });
          const { via, host, status } = evidence;
          const { asked: requests } = questions;
          const found: { -readonly [Part in keyof RegistryCheck]: RegistryCheck[Part] } = {
            versions: step.versions,
            rejected: fewOf(step.rejected, target.secrets),
            via,
            host,
            status,
            requests,
          };
          if (rateLimit !== undefined) found.rateLimit = rateLimit;
          if (among !== undefined) found.among = among;
          if (target.pulledFrom !== undefined) found.repository = target.pulledFrom;
          return found;
        }
      }
    }
  } catch (error) {
    throw withoutSecrets(error, target.secrets);
  }
}

const nothing: ReadonlyMap<Digest, never> = new Map<Digest, never>();

/** Before anything is asked. */
function knownDigests(
  rule: VersionRule,
  { known, want }: CheckOptions,
  recalled: RepositoryFacts["recalled"],
): Map<string, Digest | "absent"> {
  const digests = new Map<string, Digest | "absent">(rule.mode === "tag" ? undefined : known);
  if (recalled === undefined || want === "newest") return digests;
  for (const [tag, { digest, recent }] of recalled) if (recent && !digests.has(tag)) digests.set(tag, digest);
  return digests;
}

function countsOf(
  rule: VersionRule,
  tags: readonly string[] | undefined,
  counts: Pick<TagCounts, "candidates" | "asked">,
): TagCounts | undefined {
  if (rule.mode === "tag" || tags === undefined) return undefined;
  const by = rule.mode === "tag_regex" && rule.byCreation ? "created_at_sort" : rule.mode;
  return { by, listed: tags.length, ...counts };
}

const mostRejected = 20;

/** Facts are kept for ever: a repository with thousands of tags must not fill them with what it is not. */
function fewOf(rejected: readonly Rejected[], secrets: Secrets): readonly Rejected[] {
  if (rejected.length === 0) return rejected;
  const told = rejected.length <= mostRejected ? rejected : rejected.slice(0, mostRejected - 1);
  const few = told.map(({ candidate, reason }) => ({ candidate: secrets.redact(shown(candidate)), reason }));
  if (told === rejected) return few;
  return [...few, { candidate: `${rejected.length - few.length} others`, reason: "they are too many to be told" }];
}

// A list of tags may hold anything; what is a tag or a digest is told as it is.
function shown(candidate: string): string {
  return /^\w[\w.-]{0,127}$/.test(candidate) || isDigest(candidate) ? candidate : showText(candidate);
}
