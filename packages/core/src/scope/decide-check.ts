import type { Asker, CheckEvidence, Failure } from "../facts/facts.ts";
import { formatTime, parseTime } from "../facts/time.ts";
import type { Version } from "../plan/plan.ts";
import type { RateLimit } from "../ports/image-registry.ts";
import { type BackOff, backOffMs, heldUntil, isOfWrongClock } from "./back-off.ts";
import { duration } from "./duration.ts";
import { provesUp } from "./registry-state.ts";
import { sameAsker, type ScopeObservation, type ScopeState } from "./scope-state.ts";

/** How a fetch's question is answered. */
export type CheckDecision =
  | { readonly kind: "fresh"; readonly version: Version; readonly evidence: CheckEvidence }
  | { readonly kind: "join"; readonly asker: Asker; readonly node: string }
  | StaleDecision
  /** The last answer stands for a while: its failure, or null where it was that there is no such version. */
  | { readonly kind: "refused"; readonly failure: Failure | null; readonly until: number }
  | { readonly kind: "ask"; readonly because: string | null };

/** An answer beyond the interval, within a bound; its evidence says why it was taken. */
export interface StaleDecision {
  readonly kind: "stale";
  readonly version: Version;
  readonly evidence: CheckEvidence;
  /** Why it is not fresh. */
  readonly because: string;
  /** The registry is to be asked meanwhile. */
  readonly revalidate: boolean;
}

/** What holds for a scope's answers; all in milliseconds. */
export interface ScopeLimits {
  /** How long beyond the interval an observation is still used at once, while one check runs beside it. */
  readonly staleWhileRevalidateMs: number;
  /** The oldest observation that is ever used where the registry fails, or is to be spared. */
  readonly stalenessBoundMs: number;
  readonly failureBackOff: BackOff;
  /** How long a refusal stands that does not pass by itself, and that there is no such version. */
  readonly refusalMemoryMs: number;
}

export interface CheckQuestion extends ScopeLimits {
  readonly scope: string;
  readonly asker: Asker;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** An observation younger than this is used without asking; `never` uses any observation there is. */
  readonly interval: number | "never";
  /** Somebody triggered the build by hand: ask whatever the interval says. */
  readonly skipInterval: boolean;
  /** And whatever failed before: the first attempt of a build by hand. */
  readonly atOnce: boolean;
  readonly credential: string | null;
  /** Why the registry is to be spared; absent where it may be asked. */
  readonly sparing?: Sparing | undefined;
  /** When the registry last answered after it had failed; milliseconds since the epoch. */
  readonly registryAnsweredAt?: number | null | undefined;
}

/** Why nothing is asked of a registry that need not be. */
export interface Sparing {
  /** `budget`: few requests are left. `retry-after`: it asked for a pause. `failing`: it fails, whatever is asked. */
  readonly because: "budget" | "retry-after" | "failing";
  /** Until when nobody asks, milliseconds since the epoch. */
  readonly until?: number;
  readonly host?: string;
  readonly rateLimit?: RateLimit;
  readonly failure?: Failure;
}

/**
 * One question, asked once: a fresh observation is used; another's check in flight is joined; an older observation will
 * do while it is revalidated, or where the registry is to be spared or has just failed; a failure stands until its
 * back-off is over; else we ask.
 */
export function decideCheck(state: ScopeState, question: CheckQuestion): CheckDecision {
  const { current, claim } = state;
  const age = ageOf(current, question.now);
  if (current !== null && isFresh(current, question, age)) {
    const { version, observedAt, host, status, repository, asker } = current;
    const where = { host, status, ...(repository === undefined ? {} : { repository }) };
    const evidence = { via: "fresh", observedAt, ...where, credential: question.credential, asker } as const;
    return { kind: "fresh", version, evidence };
  }
  const sparing = sparingOf(question);
  const held = heldUp(state, question);
  const isClaimed = claim !== null && claim.until > question.now && !sameAsker(claim.asker, question.asker);
  if (current !== null && sparing === undefined && held === undefined && mayRevalidate(state, question, age)) {
    const boundMs = revalidateBound(question);
    return stale(current, question, { because: "revalidating", boundMs }, !isClaimed);
  }
  if (isClaimed) {
    // Who asks a registry that failed waits for its next failure, and nobody waits with him who has an answer that will do.
    const failing = state.failures > 0 && !question.skipInterval ? (state.failure?.failure ?? null) : null;
    if (current !== null && failing !== null && maySpare(state, question, age)) {
      return stale(current, question, { because: "failing", failure: failing });
    }
    return { kind: "join", asker: claim.asker, node: claim.node };
  }
  if (current !== null && sparing !== undefined && maySpare(state, question, age)) {
    if (!question.skipInterval || sparing.because === "retry-after") return stale(current, question, sparing);
  }
  if (held !== undefined) {
    const { failure, until } = held;
    if (current !== null && failure?.retryable === true && !question.skipInterval && maySpare(state, question, age)) {
      return stale(current, question, { because: "failing", until, failure });
    }
    return { kind: "refused", ...held };
  }
  return { kind: "ask", because: current === null ? null : whyNotFresh(current, question, age) };
}

/** What becomes of a check that failed in a way that may pass: the last good answer within the bound, or none by hand. */
export function staleInstead(
  { current }: Pick<ScopeState, "current">,
  question: CheckQuestion,
  { failure, until }: { readonly failure: Failure; readonly until?: number | undefined },
): StaleDecision | undefined {
  const isOld = ageOf(current, question.now) > question.stalenessBoundMs;
  if (current === null || isOld || question.skipInterval) return undefined;
  if (!failure.retryable || failure.code === "FI_ABORTED") return undefined;
  return stale(current, question, { because: "failing", failure, ...(until === undefined ? {} : { until }) });
}

/** The failure with the last good answer in message and details, where there is one that may not be used. */
export function withLastGood(
  failure: Failure,
  { current }: Pick<ScopeState, "current">,
  { now, stalenessBoundMs }: Pick<CheckQuestion, "now" | "stalenessBoundMs">,
): Failure {
  const { digest, tag } = current?.version ?? {};
  if (current === null || digest === undefined || !failure.retryable || failure.code === "FI_ABORTED") return failure;
  const ageMs = ageOf(current, now);
  const bound =
    ageMs > stalenessBoundMs
      ? `and ${duration(stalenessBoundMs)} is the staleness bound`
      : "which is not taken by hand";
  const old = `observed ${duration(ageMs)} ago, ${bound}`;
  const lastGood = { ...(tag === undefined ? {} : { tag }), digest, observedAt: current.observedAt, ageMs };
  return {
    ...failure,
    message: `${failure.message}; the last good digest is ${digest}, ${old}`,
    details: { ...failure.details, lastGood },
  };
}

/** Until when the scope's last failure stands, if it does; milliseconds since the epoch. */
export function heldUp(
  state: Pick<ScopeState, "failure" | "failures" | "vanished">,
  question: Pick<
    CheckQuestion,
    "scope" | "now" | "atOnce" | "failureBackOff" | "refusalMemoryMs" | "registryAnsweredAt"
  >,
): { readonly failure: Failure | null; readonly until: number } | undefined {
  const { now, refusalMemoryMs, registryAnsweredAt } = question;
  const at = state.vanished?.at ?? state.failure?.at;
  if (at === undefined || question.atOnce) return undefined;
  const failure = state.vanished === null ? (state.failure?.failure ?? null) : null;
  if (failure !== null && provesUp(failure) && (registryAnsweredAt ?? 0) > at) return undefined;
  const pauseMs =
    failure?.retryable === true
      ? Math.max(backOffMs(question.failureBackOff, state.failures, question.scope), state.failure?.retryAfterMs ?? 0)
      : refusalMemoryMs;
  const until = heldUntil(at, pauseMs, now);
  return until === undefined ? undefined : { failure, until };
}

/** Who builds by hand asks a registry that fails all the same; one that asked for a pause gets it from everybody. */
function sparingOf({ sparing, atOnce }: CheckQuestion): Sparing | undefined {
  return atOnce && sparing?.because === "failing" ? undefined : sparing;
}

/** Not where the registry's last word was that it has no such thing for us. */
function maySpare({ failure }: ScopeState, { stalenessBoundMs }: CheckQuestion, age: number): boolean {
  return age <= stalenessBoundMs && failure?.failure.retryable !== false;
}

function mayRevalidate(state: ScopeState, question: CheckQuestion, age: number): boolean {
  if (question.skipInterval || question.staleWhileRevalidateMs === 0) return false;
  if (state.current !== null && isOfWrongClock(parseTime(state.current.observedAt), question.now)) return false;
  return age < revalidateBound(question) && maySpare(state, question, age);
}

function revalidateBound({ interval, staleWhileRevalidateMs, stalenessBoundMs }: CheckQuestion): number {
  return Math.min(Number(interval) + staleWhileRevalidateMs, stalenessBoundMs);
}

type Why = Omit<Sparing, "because"> & {
  readonly because: Sparing["because"] | "revalidating";
  readonly boundMs?: number;
};

function stale(
  current: ScopeObservation,
  question: CheckQuestion,
  { because, boundMs = question.stalenessBoundMs, until, rateLimit, failure }: Why,
  revalidate = false,
): StaleDecision {
  const { version, ...observed } = current;
  const error = failure === undefined ? undefined : { code: failure.code, message: failure.message };
  const evidence: CheckEvidence = {
    via: "stale-served",
    ...observed,
    credential: question.credential,
    ...(rateLimit === undefined ? {} : { rateLimit: { ...rateLimit } }),
    stale: {
      because,
      boundMs,
      ...(until === undefined ? {} : { until: formatTime(until) }),
      ...(error === undefined ? {} : { error }),
    },
  };
  const age = ageOf(current, question.now);
  return { kind: "stale", version, evidence, because: whyNotFresh(current, question, age), revalidate };
}

/** What a clock that is wrong says to have observed later than now may be of any age. */
function isFresh(current: ScopeObservation, { interval, skipInterval, now }: CheckQuestion, age: number): boolean {
  if (skipInterval || interval === "never") return !skipInterval;
  return age < interval && !isOfWrongClock(parseTime(current.observedAt), now);
}

function ageOf(current: ScopeObservation | null, now: number): number {
  return current === null ? 0 : Math.max(0, now - parseTime(current.observedAt));
}

function whyNotFresh(
  { observedAt }: ScopeObservation,
  { interval, skipInterval, now }: CheckQuestion,
  age: number,
): string {
  if (skipInterval) return `observed ${duration(age)} ago, but the build was triggered by hand`;
  if (isOfWrongClock(parseTime(observedAt), now)) return `observed at ${observedAt}, by a clock that is ahead of ours`;
  if (interval === "never" || age < interval) return `observed ${duration(age)} ago`;
  return `observed ${duration(age)} ago, older than the interval of ${duration(interval)}`;
}
