import {
  type Asker,
  type CheckDecision,
  type CheckEvidence,
  type CheckQuestion,
  type Failure,
  FetchImageError,
  type FetchRequest,
  formatTime,
  heldUp,
  parseTime,
  type RegistryCheck,
  type RegistryImageSource,
  type Rejected,
  type ScopeFact,
  type ScopeFactData,
  type ScopeState,
  type StaleDecision,
  staleInstead,
  type Version,
  withLastGood,
} from "@fetch-image/core/fetching";
import { retryAfterOf, toFailure } from "./failure.ts";
import type { RegistryKey } from "./registry-key.ts";

/** One fetch's question to a scope. */
export interface ScopeQuestion {
  readonly scope: string;
  readonly repository: string;
  /** The source's tag; absent where its versions are found among all tags. */
  readonly tag: string | undefined;
  readonly publicSource: FetchRequest["source"];
  readonly source: RegistryImageSource;
  readonly credential: string | null;
  /** As `credentialProof` makes it; null where the source holds no secret, or its user's name is proof enough. */
  readonly proof: string | null;
  readonly asked: RegistryKey;
  readonly asker: Asker;
  readonly interval: number | "never";
  readonly skipInterval: boolean;
  /** From 1, of the fetch. */
  readonly attempt: number;
  /** Nobody waits for the answer: an old one has been given. */
  readonly isForLater?: boolean;
  readonly redact: (text: string) => string;
}

/** How old an answer may be that the question takes for fresh; milliseconds. */
export function freshMsOf({ interval, skipInterval }: Pick<ScopeQuestion, "interval" | "skipInterval">): number {
  if (skipInterval) return 0;
  return interval === "never" ? Number.POSITIVE_INFINITY : interval;
}

export type CheckAnswer =
  | {
      readonly ok: true;
      readonly version: Version;
      readonly evidence: CheckEvidence;
      readonly rejected: readonly Rejected[];
    }
  | { readonly ok: false; readonly failure: Failure; readonly retryAfterMs?: number };

/** The answer of a check made now, `at` milliseconds since the epoch; `passedOver` are answers that were there before. */
export function answerOf(
  question: ScopeQuestion,
  outcome: Outcome,
  at: number,
  passedOver: readonly Rejected[],
): CheckAnswer {
  const { credential, redact } = question;
  if (!outcome.ok) {
    return {
      ok: false,
      failure: toFailure(outcome.error, "FI_CHECK_FAILED", redact),
      ...retryAfterOf(outcome.error),
    };
  }
  const { versions, via, host, status, repository, rateLimit, among } = outcome.check;
  const newest = versions.at(-1);
  if (newest === undefined) {
    const failure = toFailure(nothingFound(question, outcome.check), "FI_NO_VERSION", redact);
    return { ok: false, failure };
  }
  const evidence: CheckEvidence = {
    via,
    observedAt: formatTime(at),
    host,
    status,
    ...(repository === undefined ? {} : { repository }),
    credential,
    ...(rateLimit === undefined ? {} : { rateLimit: { ...rateLimit } }),
    ...(among === undefined ? {} : { among: { ...among } }),
  };
  const { tag, digest } = newest;
  return { ok: true, version: { tag, digest }, evidence, rejected: [...passedOver, ...outcome.check.rejected] };
}

/** What the scope's stream says of a check. */
export function factsOf(state: ScopeState, question: ScopeQuestion, outcome: Outcome): readonly ScopeFact[] {
  const { redact, tag } = question;
  const asker = askerOf(question);
  if (!outcome.ok) {
    const failure = toFailure(outcome.error, "FI_CHECK_FAILED", redact);
    const gone = maySayGone(state) ? repositoryGone(outcome.error) : undefined;
    if (gone !== undefined) return [{ type: "VersionVanished", data: { ...gone, ...asker } }];
    const limit = refusedWith(outcome.error);
    return [
      { type: "CheckFailed", data: { failure, ...retryAfterOf(outcome.error), ...asker } },
      ...(limit === undefined ? [] : [{ type: "RateLimitObserved", data: limit } as const]),
    ];
  }
  const { versions, via, host, status, repository, rateLimit } = outcome.check;
  const newest = versions.at(-1);
  if (newest === undefined && !maySayGone(state)) {
    return [{ type: "CheckFailed", data: { failure: vanishedFailure(question, outcome.check), ...asker } }];
  }
  if (newest === undefined) {
    return [{ type: "VersionVanished", data: { ...(tag === undefined ? {} : { tag }), host, status, ...asker } }];
  }
  const { latest } = state;
  const changed = latest?.["digest"] !== newest.digest || latest?.["tag"] !== newest.tag;
  const where = { host, status, ...(repository === undefined ? {} : { repository }) };
  const observed: ScopeFact = {
    type: "VersionObserved",
    data: { version: { tag: newest.tag, digest: newest.digest }, changed, via, ...where, ...asker },
  };
  return rateLimit === undefined ? [observed] : [observed, { type: "RateLimitObserved", data: { host, ...rateLimit } }];
}

/** To who may not see it a registry says that there is nothing: it is for who was shown it to find that it is gone. */
function maySayGone({ latest, current }: ScopeState): boolean {
  return latest === null || current !== null;
}

/** Who asks, as facts have it: with what tells his secrets from others'. */
export function askerOf({ asker, proof }: ScopeQuestion): { readonly proof?: string; readonly asker: Asker } {
  return proof === null ? { asker } : { proof, asker };
}

/** Where the registry that was asked for the tags says that it has no such repository. */
function repositoryGone(error: unknown): { readonly host: string; readonly status: number } | undefined {
  if (!FetchImageError.is(error) || error.code !== "FI_IMAGE_UNKNOWN") return undefined;
  const { host, status, registryCode } = error.details;
  if (registryCode !== "NAME_UNKNOWN" || typeof host !== "string" || typeof status !== "number") return undefined;
  return { host, status };
}

/** What a refusal told of the rate limit. */
function refusedWith(error: unknown): ScopeFactData<"RateLimitObserved"> | undefined {
  if (!FetchImageError.is(error)) return undefined;
  const { host, limit, remaining } = error.details;
  if (typeof host !== "string" || (typeof limit !== "number" && typeof remaining !== "number")) return undefined;
  return {
    host,
    ...(typeof limit === "number" ? { limit } : {}),
    ...(typeof remaining === "number" ? { remaining } : {}),
  };
}

/** How a check ended. */
export type Outcome =
  { readonly ok: true; readonly check: RegistryCheck } | { readonly ok: false; readonly error: unknown };

/**
 * What the scope's stream says was answered at or after `since`, milliseconds since the epoch: nothing while a claim
 * stands, or where the last one was given up.
 */
export function answerSince(state: ScopeState, since: number, asking: Asking): CheckAnswer | undefined {
  if (state.claim !== null || state.calledOff || state.checkedAt === null || state.checkedAt < since) return undefined;
  if (state.failure !== null) {
    const { failure, retryAfterMs } = state.failure;
    return failureAnswer(state, asking, { failure, retryAfterMs });
  }
  if (state.vanished !== null) return { ok: false, failure: vanishedFailure(asking.question, state.vanished) };
  if (state.current === null || parseTime(state.current.observedAt) < since) return undefined;
  const { version, ...observed } = state.current;
  return { ok: true, version, evidence: { via: "joined", ...observed }, rejected: [] };
}

/** The same answer for who joined; one that was not the registry's stays what it is. */
export function joined(answer: CheckAnswer, asker: Asker): CheckAnswer {
  if (!answer.ok || answer.evidence.via === "stale-served") return answer;
  // The answer of another node says itself who asked.
  return { ...answer, evidence: { asker, ...answer.evidence, via: "joined" } };
}

/** The answer that the scope's history gives. */
export function known(decision: Extract<CheckDecision, { kind: "fresh" | "stale" }>, failed?: Failure): CheckAnswer {
  const { version, evidence } = decision;
  return { ok: true, version, evidence, rejected: decision.kind === "fresh" ? [] : [passedOver(decision, failed)] };
}

function passedOver({ because, evidence }: StaleDecision, failed: Failure | undefined): Rejected {
  if (failed !== undefined) return { candidate: "check", reason: failed.message };
  const how = evidence.stale?.because === "revalidating" ? "asked beside the fetch, since" : "not asked, though";
  return { candidate: "check", reason: `${how} ${because}` };
}

export interface CheckFailure {
  readonly failure: Failure;
  /** As the registry asked; 0 where it did not. */
  readonly retryAfterMs: number;
}

/** A question, and what holds for it now. */
export interface Asking {
  readonly question: ScopeQuestion;
  readonly now: CheckQuestion;
  /** The longest pause that the fetch makes between two attempts of its own. */
  readonly longestPauseMs: number;
}

/**
 * What becomes of a check that failed, its own or another's: the last good answer where that may be used, else the failure,
 * with the pause until somebody may ask again where it fits the fetch's own.
 */
export function failureAnswer(
  state: ScopeState,
  { question, now, longestPauseMs }: Asking,
  { failure, retryAfterMs }: CheckFailure,
): CheckAnswer {
  const { scope, failureBackOff, refusalMemoryMs, registryAnsweredAt } = now;
  const held = { scope, now: now.now, atOnce: false, failureBackOff, refusalMemoryMs, registryAnsweredAt };
  const until = heldUp(state, held)?.until;
  const instead = staleInstead(state, now, { failure, until });
  if (instead !== undefined) return known(instead, failure);
  const shown = withLastGood(failure, state, now);
  if (retryAfterMs > 0) return { ok: false, failure: shown, retryAfterMs };
  return notBefore(shown, { until, now: now.now, longestPauseMs, isByHand: question.skipInterval });
}

/** The answer to a question that is not asked before `until`. */
export function refusedAnswer(
  state: ScopeState,
  { question, now, longestPauseMs }: Asking,
  { failure, until }: { readonly failure: Failure | null; readonly until: number },
): CheckAnswer {
  const end = formatTime(until);
  const last = failure ?? vanishedFailure(question, state.vanished ?? { host: "the registry", status: 404 });
  const { failures } = state;
  const times = failures === 1 ? "after a failure" : `after ${failures} failures in a row`;
  const why = last.retryable
    ? `${times} not asked again before ${end}`
    : `not asked again before ${end} unless by hand`;
  const details = { ...last.details, until: end, ...(last.retryable ? { failures } : {}) };
  const refused = { ...last, message: `${last.message}; ${why}`, details };
  if (!last.retryable) return { ok: false, failure: refused };
  const asked = { until, now: now.now, longestPauseMs, isByHand: false };
  return notBefore(withLastGood(refused, state, now), asked);
}

/** The answer to a question of a registry that nobody asks before `until`. */
export function unasked(
  state: ScopeState,
  { now, longestPauseMs }: Asking,
  { failure, until }: { readonly failure: Failure; readonly until: number },
): CheckAnswer {
  const shown = withLastGood(failure, state, now);
  const { retryAfterMs } = failure.details ?? {};
  if (typeof retryAfterMs === "number") return { ok: false, failure: shown, retryAfterMs };
  return notBefore(shown, { until, now: now.now, longestPauseMs, isByHand: false });
}

/** A pause of our own is waited for in one piece where the fetch waits as long by itself. */
function notBefore(
  failure: Failure,
  wait: {
    readonly until: number | undefined;
    readonly now: number;
    readonly longestPauseMs: number;
    readonly isByHand: boolean;
  },
): CheckAnswer {
  const { until, now, longestPauseMs, isByHand } = wait;
  if (until === undefined || !failure.retryable || isByHand || until - now > longestPauseMs)
    return { ok: false, failure };
  const details = { ...failure.details, notBefore: formatTime(until) };
  return { ok: false, failure: { ...failure, details }, retryAfterMs: Math.max(0, until - now) };
}

function vanishedFailure(question: ScopeQuestion, where: Pick<RegistryCheck, "host" | "status">): Failure {
  return toFailure(nothingFound(question, where), "FI_NO_VERSION", question.redact);
}

function nothingFound(
  { repository, tag }: ScopeQuestion,
  { host, status }: Pick<RegistryCheck, "host" | "status">,
): FetchImageError {
  if (tag !== undefined) {
    const reference = `${repository}:${tag}`;
    const message = `${host} has no image ${reference}`;
    return new FetchImageError("FI_IMAGE_UNKNOWN", { message, details: { reference, host, status } });
  }
  return new FetchImageError("FI_NO_VERSION", {
    message: `${host} has no tag of ${repository} that the source wants`,
    hint: "Look at the tags there; without `tag`, only tags that are versions count, and `latest`.",
    details: { repository, host, status },
  });
}

export function show(version: Version | undefined): string {
  return version === undefined ? "" : Object.values(version).join("@");
}
