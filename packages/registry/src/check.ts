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
import type { Conversation, RegistryParts } from "./conversation.ts";
import { type CreationDates, createdOf } from "./created.ts";
import { inParallel } from "./in-parallel.ts";
import { listTags } from "./list-tags.ts";
import type { Target } from "./locate.ts";
import type { TagMemory } from "./tag-book.ts";
import { digestExists, type Evidence, resolveTag } from "./resolve.ts";
import { unlessAborted } from "./transport/deadline.ts";
import { type Secrets, withoutSecrets } from "./transport/redact.ts";

interface TargetCheck extends CheckOptions {
  readonly rule: VersionRule;
  /** What earlier checks found out: a digest's image is always of the same time. */
  readonly dates: CreationDates;
  /** Of this target, for the source; of no use where the rule names the tag. */
  readonly memory: TagMemory | undefined;
  readonly onQuestion: () => void;
}

/** One check of one registry: asks what the rule asks for, until it answers. See core's `ImageRegistry.check`. */
export function checkTarget(
  parts: RegistryParts,
  target: Target,
  check: TargetCheck,
): Promise<Omit<RegistryCheck, "requests">> {
  return askAndDecide(parts, target, check).catch((error: unknown) => {
    throw withoutSecrets(error, target.secrets);
  });
}

async function askAndDecide(
  { settings, conversation }: RegistryParts,
  target: Target,
  check: TargetCheck,
): Promise<Omit<RegistryCheck, "requests">> {
  const { rule, cursor, want, previous, signal, dates, memory, onQuestion } = check;
  const parts = { settings, conversation: untilLimited(conversation, onQuestion) };
  const since = check.recallMs === undefined ? Number.POSITIVE_INFINITY : settings.now() - check.recallMs;
  const recalled = memory?.recall(since);
  const digests = new Map<string, Digest | "absent">(rule.mode === "tag" ? [] : check.known);
  if (want !== "newest") {
    for (const [tag, { digest, recent }] of recalled ?? []) if (recent && !digests.has(tag)) digests.set(tag, digest);
  }
  const present = new Map<Digest, boolean>();
  const created = new Map<Digest, string | undefined>();
  let facts: RepositoryFacts = { digests, present, created, ...(recalled && { recalled }) };

  const toldBy = new Map<string, Evidence>();
  let latest: Evidence | undefined;
  let rateLimit: RateLimit | undefined;
  const each = { width: settings.limits.concurrentQuestions, signal };
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
        await inParallel(step.tags, each, async (tag, ended) => {
          const { digest = "absent", evidence } = await resolveTag(parts, target, tag, ended);
          digests.set(tag, digest);
          toldBy.set(tag, evidence);
          rateLimit = evidence.rateLimit ?? rateLimit;
          memory?.learn(tag, digest, settings.now());
        });
        break;
      case "probe-digest":
        present.set(step.digest, await digestExists(parts, target, step.digest, signal));
        break;
      case "read-created":
        await inParallel(step.digests, each, async (digest, ended) => {
          created.set(digest, await dates.of(digest, () => createdOf({ ...parts, target }, digest, ended)));
        });
        break;
      case "fail":
        throw step.error;
      case "answer": {
        const { versions, rejected, candidates } = step;
        const newest = rule.mode === "tag" ? rule.tag : versions.at(-1)?.tag;
        const evidence = toldBy.get(newest ?? "") ?? latest;
        if (!evidence) throw new FetchImageError("FI_INTERNAL", { message: `${target.name} was not asked` });
        const among = countsOf(rule, { listed: facts.tags?.length, candidates, asked: toldBy.size });
        return {
          versions,
          rejected: fewOf(rejected, target.secrets),
          ...evidence,
          ...(rateLimit && { rateLimit }),
          ...(among && { among }),
        };
      }
    }
  }
}

function countsOf(
  rule: VersionRule,
  { listed, ...counts }: Omit<TagCounts, "by" | "listed"> & { readonly listed: number | undefined },
): TagCounts | undefined {
  if (rule.mode === "tag" || listed === undefined) return undefined;
  return { by: rule.mode === "tag_regex" && rule.byCreation ? "created_at_sort" : rule.mode, listed, ...counts };
}

// At once, and not only when the refusal has been read to its end: what is asked meanwhile never starts.
function untilLimited(conversation: Conversation, onQuestion: () => void): Conversation {
  let limited = false;
  const noticed = <A extends { readonly status: number }>(answer: A): A => {
    limited ||= answer.status === 429;
    return answer;
  };
  return {
    ask(target, question) {
      if (limited) return unlessAborted(new Promise<never>(() => {}), question.signal);
      onQuestion();
      return conversation.ask(target, question).then(noticed);
    },
    refused: (target, answer, subject) => conversation.refused(target, answer, subject),
    close: () => conversation.close(),
  };
}

const mostRejected = 20;

/** Facts are kept for ever: a repository with thousands of tags must not fill them with what it is not. */
function fewOf(rejected: readonly Rejected[], secrets: Secrets): readonly Rejected[] {
  const told = rejected.length <= mostRejected ? rejected : rejected.slice(0, mostRejected - 1);
  const few = told.map(({ candidate, reason }) => ({ candidate: secrets.redact(shown(candidate)), reason }));
  if (told === rejected) return few;
  return [...few, { candidate: `${rejected.length - few.length} others`, reason: "they are too many to be told" }];
}

// A list of tags may hold anything; what is a tag or a digest is told as it is.
function shown(candidate: string): string {
  return /^\w[\w.-]{0,127}$/.test(candidate) || isDigest(candidate) ? candidate : showText(candidate);
}
