import type { Asker, CheckEvidence, Failure, RecordedScopeFact } from "../facts/facts.ts";
import { formatTime, parseTime } from "../facts/time.ts";
import type { Version } from "../plan/plan.ts";
import type { RateLimit } from "../ports/image-registry.ts";

/** What is known of a resource config scope, folded from its stream. Decisions are made on this, never on the read model. */
export interface ScopeState {
  /** Of the stream's last fact; undefined where the scope was never asked for. */
  readonly revision: bigint | undefined;
  readonly current: ScopeObservation | null;
  /** Who is asking the registry now; expired claims stand here until somebody else claims. */
  readonly claim: { readonly asker: Asker; readonly node: string; readonly until: number } | null;
  readonly failure: { readonly failure: Failure; readonly at: number; readonly retryAfterMs: number } | null;
  /** Milliseconds since the epoch: of the last answer, whatever it was. */
  readonly checkedAt: number | null;
  /** What the registry last said of its rate limit. */
  readonly rateLimit: ScopeRateLimit | null;
}

export interface ScopeRateLimit {
  readonly host: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly limit?: number;
  readonly remaining?: number;
  readonly windowSeconds?: number;
}

export interface ScopeObservation {
  readonly version: Version;
  /** When the registry last gave this version. */
  readonly observedAt: string;
  readonly host: string;
  readonly status: number;
  /** What to pull from, where only the login told it. */
  readonly repository?: string;
  readonly asker: Asker;
}

export const unknownScope: ScopeState = {
  revision: undefined,
  current: null,
  claim: null,
  failure: null,
  checkedAt: null,
  rateLimit: null,
};

export function evolveScope(state: ScopeState, fact: RecordedScopeFact): ScopeState {
  const next = { ...state, revision: fact.revision };
  const at = parseTime(fact.metadata.time);
  switch (fact.type) {
    case "CheckClaimed":
      return {
        ...next,
        claim: { asker: fact.data.asker, node: fact.metadata.node, until: parseTime(fact.data.until) },
      };
    case "VersionObserved": {
      const { version, host, status, repository, asker } = fact.data;
      const where = { host, status, ...(repository === undefined ? {} : { repository }) };
      const current = { version, observedAt: fact.metadata.time, ...where, asker };
      return { ...next, current, claim: null, failure: null, checkedAt: at };
    }
    case "VersionVanished":
      return { ...next, current: null, claim: null, failure: null, checkedAt: at };
    case "CheckFailed": {
      const { failure, retryAfterMs = 0, asker } = fact.data;
      // Who was called off has not been answered: the claim is free, and nobody fails for it.
      if (failure.code === "FI_ABORTED") {
        return { ...next, claim: state.claim !== null && sameAsker(state.claim.asker, asker) ? null : state.claim };
      }
      // An answer answers everyone; the late failure of one whose claim ran out does not stop the one who asks now.
      const claim = state.claim !== null && !sameAsker(state.claim.asker, asker) ? state.claim : null;
      return { ...next, claim, failure: { failure, at, retryAfterMs }, checkedAt: at };
    }
    case "RateLimitObserved":
      break;
  }
  const { host, limit, remaining, windowSeconds } = fact.data;
  const told = {
    ...(limit === undefined ? {} : { limit }),
    ...(remaining === undefined ? {} : { remaining }),
    ...(windowSeconds === undefined ? {} : { windowSeconds }),
  };
  return { ...next, rateLimit: { host, at, ...told } };
}

/** How a fetch's question is answered. */
export type CheckDecision =
  | { readonly kind: "fresh"; readonly version: Version; readonly evidence: CheckEvidence }
  | { readonly kind: "join"; readonly asker: Asker; readonly node: string }
  /** An answer beyond the interval, within the bound, taken because the registry is to be spared. */
  | { readonly kind: "stale"; readonly version: Version; readonly evidence: CheckEvidence; readonly because: string }
  | { readonly kind: "ask"; readonly because: string | null };

export interface CheckQuestion {
  readonly asker: Asker;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** An observation younger than this is used without asking; `never` uses any observation there is. */
  readonly interval: number | "never";
  /** Somebody triggered the build by hand: ask whatever the interval says. */
  readonly skipInterval: boolean;
  readonly credential: string | null;
  /** Why the registry is to be spared; absent where it may be asked. */
  readonly sparing?: Sparing | undefined;
}

/** Why nothing is asked of a registry that need not be. */
export interface Sparing {
  /** `budget`: few requests are left. `retry-after`: it asked for a pause. */
  readonly because: "budget" | "retry-after";
  /** How old an answer may be that is given instead. */
  readonly boundMs: number;
  /** Until when nobody asks, milliseconds since the epoch. */
  readonly until?: number;
  readonly host?: string;
  readonly rateLimit?: RateLimit;
}

/**
 * One question, asked once: a fresh observation is used, another's check in flight is joined, an older observation will
 * do where the registry is to be spared, else we ask.
 */
export function decideCheck(state: ScopeState, question: CheckQuestion): CheckDecision {
  const { current, claim } = state;
  const age = current === null ? 0 : Math.max(0, question.now - parseTime(current.observedAt));
  if (current !== null && !question.skipInterval && (question.interval === "never" || age < question.interval)) {
    const { version, observedAt, host, status, repository, asker } = current;
    const where = { host, status, ...(repository === undefined ? {} : { repository }) };
    const evidence = { via: "fresh", observedAt, ...where, credential: question.credential, asker } as const;
    return { kind: "fresh", version, evidence };
  }
  if (claim !== null && claim.until > question.now && !sameAsker(claim.asker, question.asker)) {
    return { kind: "join", asker: claim.asker, node: claim.node };
  }
  if (current !== null && question.sparing !== undefined && maySpare(state, question, age)) {
    return {
      kind: "stale",
      ...staleAnswer(current, question.credential, question.sparing),
      because: whyNotFresh(question, age),
    };
  }
  return { kind: "ask", because: current === null ? null : whyNotFresh(question, age) };
}

/** Not where the registry's last word was that it has no such thing for us; nor for a hand that could still be served. */
function maySpare({ failure }: ScopeState, { sparing, skipInterval }: CheckQuestion, age: number): boolean {
  if (sparing === undefined || age > sparing.boundMs || failure?.failure.retryable === false) return false;
  return !skipInterval || sparing.because === "retry-after";
}

function staleAnswer(
  { version, ...observed }: ScopeObservation,
  credential: string | null,
  { because, boundMs, until, rateLimit }: Sparing,
): { readonly version: Version; readonly evidence: CheckEvidence } {
  const evidence: CheckEvidence = {
    via: "stale-served",
    ...observed,
    credential,
    ...(rateLimit === undefined ? {} : { rateLimit: { ...rateLimit } }),
    stale: { because, boundMs, ...(until === undefined ? {} : { until: formatTime(until) }) },
  };
  return { version, evidence };
}

function whyNotFresh({ interval, skipInterval }: CheckQuestion, age: number): string {
  if (skipInterval) return `observed ${duration(age)} ago, but the build was triggered by hand`;
  return `observed ${duration(age)} ago, older than the interval of ${duration(Number(interval))}`;
}

function sameAsker(a: Asker, b: Asker): boolean {
  return a.buildId === b.buildId && a.fetchId === b.fetchId;
}

/** `850ms`, `41s`, `3m12s`, `2h5m`: two units at the most. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const seconds = Math.floor(ms / 1000);
  const [h, m, sec] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (h > 0) return m > 0 ? `${h}h${m}m` : `${h}h`;
  if (m > 0) return sec > 0 ? `${m}m${sec}s` : `${m}m`;
  return `${sec}s`;
}
