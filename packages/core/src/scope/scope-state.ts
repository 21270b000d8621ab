import type { Asker, Failure, RecordedScopeFact } from "../facts/facts.ts";
import type { ScopeFactData } from "../facts/scope-facts.ts";
import { parseTime } from "../facts/time.ts";
import type { Version } from "../plan/plan.ts";

/** What is known of a resource config scope, folded from its stream. Decisions are made on this, never on the read model. */
export interface ScopeState {
  /** Of the stream's last fact; undefined where the scope was never asked for. */
  readonly revision: bigint | undefined;
  readonly current: ScopeObservation | null;
  /** What the scope stands at, whoever was told it: not to be handed on. Null where the last word was that there is none. */
  readonly latest: Version | null;
  /** Who is asking the registry now; expired claims stand here until somebody else claims. */
  readonly claim: { readonly asker: Asker; readonly node: string; readonly until: number } | null;
  readonly failure: { readonly failure: Failure; readonly at: number; readonly retryAfterMs: number } | null;
  /** How many checks in a row failed in a way that may pass; an answer of any kind begins anew. */
  readonly failures: number;
  /** The last answer, where it was that there is no such version. */
  readonly vanished: { readonly at: number; readonly host: string; readonly status: number } | null;
  /** Milliseconds since the epoch: of the last answer, whatever it was. */
  readonly checkedAt: number | null;
  /** The last claim was given up: what stands here is from before it, and answers nobody who waited for it. */
  readonly calledOff: boolean;
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
  latest: null,
  claim: null,
  failure: null,
  failures: 0,
  vanished: null,
  checkedAt: null,
  calledOff: false,
  rateLimit: null,
};

export function evolveScope(state: ScopeState, fact: RecordedScopeFact): ScopeState {
  const { revision } = fact;
  const at = parseTime(fact.metadata.time);
  switch (fact.type) {
    case "CheckClaimed":
      return {
        ...state,
        revision,
        claim: { asker: fact.data.asker, node: fact.metadata.node, until: parseTime(fact.data.until) },
      };
    case "VersionObserved": {
      const { version, host, status, repository, asker } = fact.data;
      const observedAt = fact.metadata.time;
      const current =
        repository === undefined
          ? { version, observedAt, host, status, asker }
          : { version, observedAt, host, status, repository, asker };
      // An answer leaves nothing of what was before it, but for the rate limit.
      return { ...unknownScope, revision, current, latest: version, checkedAt: at, rateLimit: state.rateLimit };
    }
    case "VersionVanished": {
      const { host, status } = fact.data;
      return { ...unknownScope, revision, vanished: { at, host, status }, checkedAt: at, rateLimit: state.rateLimit };
    }
    case "CheckFailed": {
      const { failure, retryAfterMs = 0, asker } = fact.data;
      // Whose claim ran out, or whose build was taken up by another node, does not stop the one who asks now.
      const isHolder =
        state.claim !== null && sameAsker(state.claim.asker, asker) && state.claim.node === fact.metadata.node;
      // Who was called off has not been answered: the claim is free, and nobody fails for it.
      if (failure.code === "FI_ABORTED") {
        return isHolder ? { ...state, revision, claim: null, calledOff: true } : { ...state, revision };
      }
      return {
        ...state,
        revision,
        claim: isHolder ? null : state.claim,
        failure: { failure, at, retryAfterMs },
        failures: failure.retryable ? state.failures + 1 : 0,
        vanished: null,
        checkedAt: at,
        calledOff: false,
      };
    }
    case "RateLimitObserved":
      break;
  }
  return { ...state, revision, rateLimit: rateLimitOf(fact.data, at) };
}

/** What a scope's stream says to all who ask, whatever secret they show. */
export type ScopeOutline = Pick<ScopeState, "revision" | "latest" | "rateLimit">;

/** What a fact says to those whom it was not for. */
export function evolveOutline<Outline extends ScopeOutline>(outline: Outline, fact: RecordedScopeFact): Outline {
  const { type, revision, data } = fact;
  if (type === "VersionObserved") return { ...outline, revision, latest: data.version };
  if (type === "VersionVanished") return { ...outline, revision, latest: null };
  if (type !== "RateLimitObserved") return { ...outline, revision };
  return { ...outline, revision, rateLimit: rateLimitOf(data, parseTime(fact.metadata.time)) };
}

/**
 * As {@link evolveScope}, as far as it concerns who shows a secret: what others claimed and were answered by another one,
 * or without any, is not for him, and does not hold him up. `proof` is `credentialProof`'s.
 */
export function evolveScopeFor(proof: string | null, state: ScopeState, fact: RecordedScopeFact): ScopeState {
  return concernsProof(proof, fact) ? evolveScope(state, fact) : evolveOutline(state, fact);
}

function concernsProof(proof: string | null, fact: RecordedScopeFact): boolean {
  return fact.type !== "RateLimitObserved" && (fact.data.proof ?? null) === proof;
}

function rateLimitOf(data: ScopeFactData<"RateLimitObserved">, at: number): ScopeRateLimit {
  const { host, limit, remaining, windowSeconds } = data;
  return {
    host,
    at,
    ...(limit === undefined ? {} : { limit }),
    ...(remaining === undefined ? {} : { remaining }),
    ...(windowSeconds === undefined ? {} : { windowSeconds }),
  };
}

export function sameAsker(a: Asker, b: Asker): boolean {
  return a.buildId === b.buildId && a.fetchId === b.fetchId;
}
