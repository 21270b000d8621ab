import {
  type Asker,
  type CheckDecision,
  type CheckEvidence,
  type Failure,
  FetchImageError,
  type FetchRequest,
  formatTime,
  parseTime,
  type RegistryCheck,
  type RegistryImageSource,
  type Rejected,
  type ScopeFact,
  type ScopeFactData,
  type ScopeState,
  type Version,
} from "@fetch-image/core";
import { retryAfterOf, toFailure } from "./failure.ts";

/** One fetch's question to a scope. */
export interface ScopeQuestion {
  readonly scope: string;
  readonly repository: string;
  /** The source's tag; absent where its versions are found among all tags. */
  readonly tag?: string;
  readonly publicSource: FetchRequest["source"];
  readonly source: RegistryImageSource;
  readonly credential: string | null;
  readonly asker: Asker;
  readonly interval: number | "never";
  readonly skipInterval: boolean;
  readonly redact: (text: string) => string;
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
  const { asker, redact, tag } = question;
  if (!outcome.ok) {
    const failure = toFailure(outcome.error, "FI_CHECK_FAILED", redact);
    const gone = repositoryGone(outcome.error);
    if (gone !== undefined) return [{ type: "VersionVanished", data: { ...gone, asker } }];
    const limit = refusedWith(outcome.error);
    return [
      { type: "CheckFailed", data: { failure, ...retryAfterOf(outcome.error), asker } },
      ...(limit === undefined ? [] : [{ type: "RateLimitObserved", data: limit } as const]),
    ];
  }
  const { versions, via, host, status, repository, rateLimit } = outcome.check;
  const newest = versions.at(-1);
  if (newest === undefined) {
    return [{ type: "VersionVanished", data: { ...(tag === undefined ? {} : { tag }), host, status, asker } }];
  }
  const { current } = state;
  const changed = current?.version["digest"] !== newest.digest || current?.version["tag"] !== newest.tag;
  const where = { host, status, ...(repository === undefined ? {} : { repository }) };
  const observed: ScopeFact = {
    type: "VersionObserved",
    data: { version: { tag: newest.tag, digest: newest.digest }, changed, via, ...where, asker },
  };
  return rateLimit === undefined ? [observed] : [observed, { type: "RateLimitObserved", data: { host, ...rateLimit } }];
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

export function settle(checking: Promise<RegistryCheck>): Promise<Outcome> {
  return checking.then(
    (check) => ({ ok: true, check }),
    (error: unknown) => ({ ok: false, error }),
  );
}

/**
 * What the scope's stream says was answered at or after `since`, milliseconds since the epoch: nothing while a claim
 * stands. Nodes' clocks differ, and an answer is stamped before it is stored, so who joined a claim passes a `since`
 * from before the claim, and it is the claim's end that tells its answer.
 */
export function answerSince(state: ScopeState, since: number): CheckAnswer | undefined {
  if (state.claim !== null || state.checkedAt === null || state.checkedAt < since) return undefined;
  if (state.failure !== null) {
    const { failure, retryAfterMs } = state.failure;
    return { ok: false, failure, ...(retryAfterMs > 0 ? { retryAfterMs } : {}) };
  }
  if (state.current === null || parseTime(state.current.observedAt) < since) return undefined;
  const { version, ...observed } = state.current;
  return { ok: true, version, evidence: { via: "joined", ...observed }, rejected: [] };
}

export function joined(answer: CheckAnswer, asker: Asker): CheckAnswer {
  if (!answer.ok) return answer;
  // The answer of another node says itself who asked.
  return { ...answer, evidence: { asker, ...answer.evidence, via: "joined" } };
}

/** The answer that the scope's history gives. */
export function known(decision: Extract<CheckDecision, { kind: "fresh" | "stale" }>): CheckAnswer {
  const { version, evidence } = decision;
  const rejected =
    decision.kind === "stale" ? [{ candidate: "check", reason: `not asked, though ${decision.because}` }] : [];
  return { ok: true, version, evidence, rejected };
}

/** Of a question that was not asked. */
export function unasked(error: FetchImageError, { redact }: ScopeQuestion): CheckAnswer {
  return { ok: false, failure: toFailure(error, "FI_CHECK_FAILED", redact), ...retryAfterOf(error) };
}

function nothingFound({ repository, tag }: ScopeQuestion, { host, status }: RegistryCheck): FetchImageError {
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
