import type { Digest } from "../image/digest.ts";
import { parseReference } from "../image/reference.ts";
import { showText } from "../image/show-text.ts";
import type { JsonObject } from "../json.ts";
import type { Policy, PolicyDecision, PolicyQuestion } from "../ports/policy.ts";
import { pullableRepository } from "../source/pullable-repository.ts";
import { parseRegistryImageSource, type RegistryImageSource } from "../source/registry-image-source.ts";
import { fitsPattern } from "./pattern.ts";

/** What becomes of an image that a rule is against: nothing is fetched, or the log has a warning. */
export type Enforcement = "hard" | "soft";

/** Repositories, canonical and without tag: `ghcr.io/acme/*`, `*` standing for anything. */
export interface RepositoryRule {
  readonly repositories: string;
  /** Default `hard`. In an allow-list, `soft` lets an image through with a warning. */
  readonly enforcement?: Enforcement;
}

export interface DigestRule {
  readonly digest: Digest;
  readonly enforcement?: Enforcement;
}

export interface ImageRules {
  /** The repositories that may be used; where there are none, all may. The first one that fits counts. */
  readonly allowed?: readonly RepositoryRule[];
  /** Those that may not, whatever is allowed. */
  readonly denied?: readonly RepositoryRule[];
  readonly deniedDigests?: readonly DigestRule[];
  /** Whether an image must be pinned to a digest once it is resolved; default: it need not be. */
  readonly digestRequired?: Enforcement;
}

/** A policy of rules. It decides by the question alone, so that the same question always has the same answer. */
export function imageRulesPolicy(rules: ImageRules): Policy {
  return { decide: (question) => Promise.resolve(decideByRules(rules, question)) };
}

/**
 * Denied where any rule is against the image; hard where any such rule is hard. A mirror's repository counts beside the
 * image's own: the answer comes from there. What only a login tells, ECR's host, is decided on once the digest is known.
 * A type that does not tell its repository fits `*` alone.
 */
export function decideByRules(rules: ImageRules, question: PolicyQuestion): PolicyDecision {
  const against = [
    ...repositoriesOf(question).flatMap((name) => againstName(rules, name, question)),
    ...againstDigest(rules, question),
  ];
  if (against.length === 0) return { decision: "allowed" };
  const enforcement = against.some((one) => one.enforcement === "hard") ? "hard" : "soft";
  return { decision: "denied", enforcement, reasons: [...new Set(against.map(({ reason }) => reason))] };
}

interface Against {
  readonly enforcement: Enforcement;
  readonly reason: string;
}

function againstName(
  { allowed = [], denied = [] }: ImageRules,
  name: string,
  { type }: PolicyQuestion,
): readonly Against[] {
  const shown = name === "" ? `an image of type ${showText(type)}, which does not tell its repository,` : name;
  const against: Against[] = [];
  for (const { repositories, enforcement = "hard" } of denied) {
    if (fitsPattern(repositories, name)) against.push({ enforcement, reason: `${shown} is denied by ${repositories}` });
  }
  if (allowed.length === 0) return against;
  const rule = allowed.find(({ repositories }) => fitsPattern(repositories, name));
  if (rule === undefined)
    against.push({ enforcement: "hard", reason: `${shown} is not among the allowed repositories` });
  else if (rule.enforcement === "soft") {
    against.push({ enforcement: "soft", reason: `${shown} is allowed only for now, by ${rule.repositories}` });
  }
  return against;
}

function againstDigest(
  { deniedDigests = [], digestRequired }: ImageRules,
  question: PolicyQuestion,
): readonly Against[] {
  const { phase, reference } = question;
  if (phase !== "digest" || reference === undefined) return [];
  const parsed = parseReference(reference);
  const digest = parsed.ok ? parsed.reference.digest : undefined;
  const against: Against[] = deniedDigests
    .filter((rule) => rule.digest === digest)
    .map(({ enforcement = "hard" }) => ({ enforcement, reason: `the digest of ${reference} is denied` }));
  if (digest === undefined && digestRequired !== undefined) {
    against.push({ enforcement: digestRequired, reason: `${reference} has no digest, and one is required` });
  }
  return against;
}

/** Canonical, without tag; `""` for one that nobody tells, none where it is too early to say. */
function repositoriesOf({ phase, type, source, reference }: PolicyQuestion): readonly string[] {
  if (reference !== undefined) {
    const parsed = parseReference(reference);
    if (parsed.ok) return [`${parsed.reference.domain}/${parsed.reference.path}`];
  }
  const given = type === "registry-image" ? sourceOf(source) : undefined;
  if (given === undefined) return [""];
  const repository = pullableRepository(given);
  if (repository === undefined) return phase === "request" ? [] : [""];
  const { registry_mirror: mirror } = given;
  const isMirrored = mirror !== undefined && repository.startsWith("docker.io/");
  return isMirrored ? [repository, `${mirror.host}/${repository.slice("docker.io/".length)}`] : [repository];
}

/** Of its public form, in which certificates are a count. */
function sourceOf({ ca_certs: _certificates, ...source }: JsonObject): RegistryImageSource | undefined {
  const parsed = parseRegistryImageSource(source);
  return parsed.ok ? parsed.source : undefined;
}
