import type { Asker, CheckEvidence, Failure, RecordedScopeFact } from "../facts/facts.ts";
import { parseTime } from "../facts/time.ts";
import type { Version } from "../plan/plan.ts";

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
      // An answer answers everyone; the late failure of one whose claim ran out does not stop the one who asks now.
      const claim = state.claim !== null && !sameAsker(state.claim.asker, asker) ? state.claim : null;
      return { ...next, claim, failure: { failure, at, retryAfterMs }, checkedAt: at };
    }
    case "RateLimitObserved":
      break;
  }
  return next;
}

/** How a fetch's question is answered. */
export type CheckDecision =
  | { readonly kind: "fresh"; readonly version: Version; readonly evidence: CheckEvidence }
  | { readonly kind: "join"; readonly asker: Asker; readonly node: string }
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
}

/** One question, asked once: a fresh observation is used, another's check in flight is joined, else we ask. */
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
  return { kind: "ask", because: current === null ? null : whyNotFresh(question, age) };
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
