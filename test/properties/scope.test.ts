// The laws of asking: whose answer will do, and who asks. packages/core/src/fetch-image/SPEC.md has the list.
import {
  type Asker,
  type CheckQuestion,
  decideCheck,
  evolveScope,
  formatTime,
  parseTime,
  type RecordedScopeFact,
  type ScopeFact,
  type ScopeState,
  unknownScope,
} from "@fetch-image/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { digestA, digestB, lastingFailure, passingFailure } from "../support/fetch-facts.ts";
import { ScopeHistory } from "../support/stream-histories.ts";
import { seedFromEnv } from "./seed.ts";

test("S1: an observation younger than the interval answers everyone who was not triggered by hand, and says whose it was", () => {
  everyQuestion((state, question) => {
    const { current } = state;
    fc.pre(current !== null && question.interval !== "never" && !question.skipInterval);
    const { credential, interval, now } = question;
    const age = Math.max(0, now - parseTime(current.observedAt));
    const young = age < interval;
    const decision = decideCheck(state, question);
    const told = decision.kind === "fresh" ? { version: decision.version, ...decision.evidence } : null;
    expect(told).toEqual(young ? { ...current, via: "fresh", credential } : null);
  });
});

test("S2: with the interval never, any observation answers, however old", () => {
  everyQuestion((state, question) => {
    const { kind } = decideCheck(state, { ...question, interval: "never", skipInterval: false });
    expect(kind === "fresh").toBe(state.current !== null);
  });
});

test("S3: who was triggered by hand is answered by an old observation only in a pause that the registry asked for", () => {
  everyQuestion((state, question) => {
    const { kind } = decideCheck(state, { ...question, skipInterval: true });
    expect(kind).not.toBe("fresh");
    expect(kind === "stale" && question.sparing?.because !== "retry-after").toBe(false);
  });
});

test("S4: a check is joined only while another's claim lives", () => {
  everyQuestion((state, question) => {
    const decision = decideCheck(state, question);
    const alive = state.claim !== null && state.claim.until > question.now;
    fc.pre(decision.kind !== "fresh" && decision.kind !== "stale");
    expect(decision.kind === "join").toBe(alive && !same(state.claim?.asker, question.asker));
    const asker = decision.kind === "join" ? decision.asker : undefined;
    expect(asker ?? state.claim?.asker).toEqual(state.claim?.asker);
    expect(["join", "ask", "refused"]).toContain(decision.kind);
  });
});

test("S5: nobody ever joins a claim of their own", () => {
  everyQuestion((state, question) => {
    fc.pre(state.claim !== null);
    const asker = state.claim?.asker ?? question.asker;
    expect(decideCheck(state, { ...question, asker }).kind).not.toBe("join");
  });
});

test("S6: who asks says why what is known will not do", () => {
  everyQuestion((state, question) => {
    const decision = decideCheck(state, question);
    fc.pre(decision.kind === "ask");
    const because = decision.kind === "ask" ? decision.because : null;
    expect(because === null).toBe(state.current === null);
    expect(because ?? "observed 1s ago, ").toMatch(/^observed \d+(?:ms|s|m|h).* ago, (?:older|but|$)/);
  });
});

test("S9: where a registry is to be spared, only an observation within the bound answers, and it says that it is stale", () => {
  everyQuestion((state, question) => {
    const decision = decideCheck(state, question);
    const { kind } = decision;
    const { current, failure } = state;
    const { sparing, now, skipInterval } = question;
    const age = current === null ? Number.POSITIVE_INFINITY : Math.max(0, now - parseTime(current.observedAt));
    // What it may do after failures of its own is another promise.
    fc.pre(state.failures === 0 && question.staleWhileRevalidateMs === 0);
    const mayServe = sparing !== undefined && age <= question.stalenessBoundMs && failure?.failure.retryable !== false;
    const isHeld = skipInterval && sparing?.because === "budget";
    fc.pre(kind === "ask" || kind === "stale");
    expect(kind === "stale").toBe(mayServe && !isHeld);
    const { because } = sparing ?? {};
    const evidence = { via: "stale-served", observedAt: current?.observedAt, stale: { because } };
    expect(decision).toMatchObject(kind === "stale" ? { version: current?.version, evidence } : { kind: "ask" });
  });
});

test("S10: after a failure nobody asks before its back-off is over, but who builds by hand", () => {
  everyQuestion((state, question) => {
    const { failure, failures } = state;
    fc.pre(failure !== null && failures > 0 && !question.atOnce);
    const at = failure?.at ?? 0;
    const { baseMs, capMs } = question.failureBackOff;
    // The least that jitter leaves of it.
    const pauseMs = Math.max(Math.min(baseMs * 2 ** (failures - 1), capMs) * 0.75, failure?.retryAfterMs ?? 0);
    fc.pre(question.now >= at && question.now < at + pauseMs);
    expect(decideCheck(state, question).kind).not.toBe("ask");
  });
});

test("S11: what is older than the bound is never served, and what is stale always says why", () => {
  everyQuestion((state, question) => {
    const decision = decideCheck(state, question);
    fc.pre(decision.kind === "stale");
    const evidence = decision.kind === "stale" ? decision.evidence : undefined;
    const age = question.now - parseTime(evidence?.observedAt ?? "");
    const { because = "", boundMs = 0, error } = evidence?.stale ?? {};
    expect(age).toBeLessThanOrEqual(Math.min(boundMs, question.stalenessBoundMs));
    expect(["budget", "retry-after", "failing", "revalidating"]).toContain(because);
    expect(error !== undefined).toBe(because === "failing");
  });
});

test("S7: a scope's fold is what its facts say, wherever it stops and goes on", () => {
  fc.assert(
    fc.property(anyScope, fc.nat(), ({ facts }, cut) => {
      const at = cut % (facts.length + 1);
      const whole = fold(facts);
      expect(fold(facts.slice(at), fold(facts.slice(0, at)))).toEqual(whole);
      expect(whole.revision).toBe(facts.at(-1)?.revision);
      const answers = facts.filter(({ type }) => type !== "CheckClaimed" && type !== "RateLimitObserved");
      expect(whole.checkedAt === null ? undefined : formatTime(whole.checkedAt)).toBe(answers.at(-1)?.metadata.time);
      const last = answers.findLast(({ type }) => type !== "CheckFailed");
      expect(whole.current?.version).toEqual(last?.type === "VersionObserved" ? last.data.version : undefined);
    }),
    settings,
  );
});

test("S8: however many ask, a scope is asked once at a time: a second one asks only when the first one's claim ran out", () => {
  fc.assert(
    fc.property(fc.array(anyTurn, { maxLength: 60 }), (turns) => {
      const scope = new ScopeHistory();
      /** Who is asking the registry now: until when they claim to, and as which fact of the scope. */
      const asking = new Map<Asker, { readonly until: number; readonly index: number }>();
      const doubled: unknown[] = [];
      for (const { asker, wait, outcome } of turns) {
        scope.wait(wait);
        const question = { ...usual, asker, now: scope.now, interval: 0, skipInterval: false, credential: null };
        if (asking.delete(asker)) {
          if (outcome !== "dies") scope.append(answerOf(asker, outcome));
        } else if (decideCheck(fold(scope.facts), question).kind === "ask") {
          // Whoever asked before the last observation may still be at it, but it answered all who wait for them.
          const answered = scope.facts.findLastIndex(({ type }) => type === "VersionObserved");
          const others = [...asking.values()].filter(({ until, index }) => until > scope.now && index > answered);
          if (others.length > 0) doubled.push({ asker, others });
          const until = scope.now + claimMs;
          asking.set(asker, { until, index: scope.facts.length });
          scope.append(claimOf(asker, until));
        }
      }
      expect(doubled).toEqual([]);
    }),
    settings,
  );
});

const settings = { seed: seedFromEnv(), numRuns: 300 };
const claimMs = 15_000;
const askers: readonly Asker[] = ["1", "2", "3", "4"].map((buildId) => ({ buildId, fetchId: "f1/image-get" }));
const anyAsker = fc.constantFrom(...askers);
const anyWait = fc.constantFrom(0, 1, 1000, 15_000, 59_999, 60_000, 3_600_000);

const anyTurn = fc.record({
  asker: anyAsker,
  wait: fc.constantFrom(0, 1, 5000, 14_999, 15_000, 20_000),
  outcome: fc.constantFrom("observes" as const, "fails" as const, "dies" as const),
});

const anyScopeFact: fc.Arbitrary<(now: number) => ScopeFact> = anyAsker.chain((asker) =>
  fc.constantFrom(
    (now: number) => claimOf(asker, now + claimMs),
    (now: number) => claimOf(asker, now + claimMs),
    () => answerOf(asker, "observes"),
    () => answerOf(asker, "observes", digestB),
    () => answerOf(asker, "fails"),
    (): ScopeFact => ({ type: "CheckFailed", data: { failure: lastingFailure, asker } }),
    (): ScopeFact => ({ type: "VersionVanished", data: { tag: "v1", host: "registry.test", status: 404, asker } }),
    (): ScopeFact => ({ type: "RateLimitObserved", data: { host: "registry.test", remaining: 7 } }),
  ),
);

const anyScope = fc.array(fc.tuple(anyWait, anyScopeFact), { maxLength: 12 }).map((facts) => {
  const scope = new ScopeHistory();
  for (const [wait, fact] of facts) scope.wait(wait).append(fact(scope.now));
  return scope;
});

const anyQuestion = fc.record({
  asker: anyAsker,
  interval: fc.constantFrom(0, 1, 60_000, 86_400_000, "never" as const),
  skipInterval: fc.boolean(),
  credential: fc.constantFrom(null, "cred-0123456789ab"),
  sparing: fc.option(
    fc.record({
      because: fc.constantFrom("budget" as const, "retry-after" as const),
    }),
    { nil: undefined },
  ),
  scope: fc.constant("0a1b"),
  atOnce: fc.boolean(),
  staleWhileRevalidateMs: fc.constantFrom(0, 60_000),
  stalenessBoundMs: fc.constantFrom(0, 60_000, 3_600_000),
  failureBackOff: fc.constantFrom({ baseMs: 1000, capMs: 60_000 }, { baseMs: 1, capMs: 1 }),
  refusalMemoryMs: fc.constantFrom(0, 10_000),
});

const usual = {
  scope: "0a1b",
  atOnce: false,
  staleWhileRevalidateMs: 0,
  stalenessBoundMs: 0,
  failureBackOff: { baseMs: 1, capMs: 1 },
  refusalMemoryMs: 0,
};

function everyQuestion(check: (state: ScopeState, question: CheckQuestion) => void): void {
  fc.assert(
    fc.property(anyScope, anyQuestion, anyWait, ({ facts, now }, question, wait) => {
      check(fold(facts), { ...question, now: now + wait });
    }),
    settings,
  );
}

function fold(facts: readonly RecordedScopeFact[], from: ScopeState = unknownScope): ScopeState {
  return facts.reduce(evolveScope, from);
}

function claimOf(asker: Asker, until: number): ScopeFact {
  const question = { scope: "0a1b", type: "registry-image", repository: "registry.test/app", tag: "v1", source: {} };
  return { type: "CheckClaimed", data: { ...question, credential: null, asker, until: formatTime(until) } };
}

function answerOf(asker: Asker, outcome: "observes" | "fails", digest = digestA): ScopeFact {
  if (outcome === "fails") return { type: "CheckFailed", data: { failure: passingFailure, asker } };
  const answer = { via: "HEAD", host: "registry.test", status: 200 } as const;
  return { type: "VersionObserved", data: { version: { tag: "v1", digest }, changed: true, ...answer, asker } };
}

function same(a: Asker | undefined, b: Asker): boolean {
  return a?.buildId === b.buildId && a.fetchId === b.fetchId;
}
