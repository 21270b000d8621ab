import { describe, expect, test } from "vitest";
import type { Asker, ScopeFact } from "../facts/facts.ts";
import { formatTime, parseTime } from "../facts/time.ts";
import { type CheckQuestion, decideCheck } from "./decide-check.ts";
import { evolveScope, evolveScopeFor, type ScopeState, unknownScope } from "./scope-state.ts";

const start = parseTime("2026-11-22T04:40:00.000Z");
const alice = { buildId: "1", fetchId: "f1/image-get" };
const bob = { buildId: "2", fetchId: "f1/image-get" };
const carol = { buildId: "2", fetchId: "f2/image-get" };
const version = { tag: "v1", digest: `sha256:${"a".repeat(64)}` };
const moved = { tag: "v1", digest: `sha256:${"b".repeat(64)}` };
const failure = { code: "FI_REGISTRY_TIMEOUT", message: "registry.test did not answer", retryable: true };
const aborted = { code: "FI_ABORTED", message: "the fetch was aborted", retryable: false };
const host = "registry.test";

describe("a scope, folded from its stream", () => {
  test("knows the version observed last, when, where and for whom", () => {
    const state = fold([0, observed(alice)], [60_000, observed(bob, moved)]);
    expect(state).toEqual({
      revision: 1n,
      current: { version: moved, observedAt: formatTime(start + 60_000), host, status: 200, asker: bob },
      latest: moved,
      claim: null,
      failure: null,
      failures: 0,
      vanished: null,
      checkedAt: start + 60_000,
      calledOff: false,
      rateLimit: null,
    });
  });

  test("knows what to pull from, where only the login told it, and tells whoever takes the fresh answer", () => {
    const repository = "1234.dkr.ecr.eu-west-1.amazonaws.com/app";
    const fact = observed(alice);
    const state = fold([0, { ...fact, data: { ...fact.data, repository } } as ScopeFact]);
    expect(state.current).toMatchObject({ version, repository });
    expect(decideCheck(state, question({}))).toMatchObject({ kind: "fresh", evidence: { host, repository } });
    expect(decideCheck(fold([0, fact]), question({}))).not.toHaveProperty("evidence.repository");
  });

  test("knows who asks, and until when at the longest", () => {
    expect(fold([0, claimed(alice, 15_000)]).claim).toEqual({ asker: alice, node: "node-a", until: start + 15_000 });
  });

  test("an answer ends every claim: it answers whoever asks", () => {
    expect(fold([0, claimed(alice, 15_000)], [9, observed(alice)]).claim).toBeNull();
    expect(fold([0, claimed(alice, 1)], [5, claimed(bob, 15_000)], [9, observed(alice)]).claim).toBeNull();
    expect(fold([0, claimed(alice, 15_000)], [9, vanished(alice)]).claim).toBeNull();
  });

  test("a failure ends the claim of who failed, not that of one who asks since", () => {
    expect(fold([0, claimed(alice, 15_000)], [9, failed(alice)]).claim).toBeNull();
    const late = fold([0, claimed(alice, 1)], [5, claimed(bob, 15_000)], [9, failed(alice)]);
    expect(late.claim?.asker).toEqual(bob);
    // Its build was taken up by another node, which asks now.
    for (const end of [failed(alice), calledOff(alice)]) {
      const lost = fold([0, claimed(alice, 15_000)], [5, claimed(alice, 15_000)], [9, end, "node-b"]);
      expect(lost).toMatchObject({ claim: { asker: alice, node: "node-a" }, calledOff: false });
    }
  });

  test("a claim that is given up is free, and is told from one that was answered", () => {
    const before = [
      [0, observed(bob)],
      [5, claimed(alice, 15_000)],
      [9, calledOff(alice)],
    ] as const;
    expect(fold(...before)).toMatchObject({ claim: null, failure: null, calledOff: true, checkedAt: start });
    expect(fold(...before, [10, claimed(carol, 15_000)], [11, observed(carol)]).calledOff).toBe(false);
    expect(fold(...before, [10, claimed(carol, 15_000)], [11, failed(carol)]).calledOff).toBe(false);
    expect(fold([0, claimed(alice, 1)], [5, claimed(bob, 15_000)], [9, calledOff(alice)])).toMatchObject({
      claim: { asker: bob },
      calledOff: false,
    });
  });

  test("a failure leaves the last version standing, a vanished tag does not", () => {
    expect(fold([0, observed(alice)], [9, failed(bob, 2500)])).toMatchObject({
      current: { version, observedAt: formatTime(start) },
      failure: { failure, at: start + 9, retryAfterMs: 2500 },
      checkedAt: start + 9,
    });
    expect(fold([0, observed(alice)], [9, vanished(bob)])).toMatchObject({ current: null, checkedAt: start + 9 });
  });

  test("an observation forgets the failure before it", () => {
    expect(fold([0, failed(alice)], [9, observed(bob)]).failure).toBeNull();
  });

  test("a rate limit is no answer, and the last one is known, with when it was told", () => {
    const limit = { type: "RateLimitObserved", data: { host, limit: 100, remaining: 7 } } as const;
    expect(fold([0, claimed(alice, 15_000)], [9, limit])).toEqual({
      ...fold([0, claimed(alice, 15_000)]),
      revision: 1n,
      rateLimit: { host, at: start + 9, limit: 100, remaining: 7 },
    });
  });
});

describe("a scope, for who shows a secret", () => {
  const [mine, theirs] = ["0123456789abcdef", "fedcba9876543210"];

  test("is what the same secret was answered", () => {
    const state = foldFor(mine, [0, shown(mine, claimed(alice, 9))], [5, shown(mine, observed(alice))]);
    expect(state).toEqual(fold([0, claimed(alice, 9)], [5, observed(alice)]));
  });

  test("is nothing of what another secret, or none, was answered, but that there is something newer", () => {
    for (const fact of [shown(theirs, observed(alice, moved)), observed(alice, moved)]) {
      expect(foldFor(mine, [0, fact])).toEqual({ ...unknownScope, revision: 0n, latest: moved });
      const state = foldFor(mine, [0, shown(mine, observed(alice))], [9, fact]);
      expect(state).toMatchObject({ revision: 1n, latest: moved, current: { version } });
    }
    expect(decideCheck(foldFor(mine, [0, shown(theirs, observed(alice))]), question({})).kind).toBe("ask");
    expect(foldFor(null, [0, shown(theirs, observed(alice))])).toMatchObject({ current: null, latest: version });
  });

  test("is neither asked by others nor ended by their answers, failures and refusals", () => {
    expect(foldFor(mine, [0, shown(theirs, claimed(alice, 15_000))]).claim).toBeNull();
    const before = [
      [0, shown(mine, observed(alice))],
      [5, shown(mine, claimed(alice, 15_000))],
    ] as const;
    for (const fact of [observed(bob), vanished(bob), failed(bob), calledOff(bob), claimed(bob, 20_000)]) {
      const state = foldFor(mine, ...before, [9, shown(theirs, fact)]);
      expect(state).toMatchObject({ current: { version }, claim: { asker: alice }, failure: null, vanished: null });
      expect(state.checkedAt).toBe(start);
    }
    expect(foldFor(mine, ...before, [9, shown(theirs, vanished(bob))]).latest).toBeNull();
  });

  test("has the rate limit that anybody was told", () => {
    const told: ScopeFact = { type: "RateLimitObserved", data: { host, remaining: 7 } };
    expect(foldFor(mine, [0, told]).rateLimit).toMatchObject({ remaining: 7 });
  });
});

describe("a question", () => {
  const known = fold([0, observed(alice)]);

  test("is answered by an observation younger than the interval, with whose it was", () => {
    expect(decideCheck(known, question({ now: start + 59_999, credential: "cred-1" }))).toEqual({
      kind: "fresh",
      version,
      evidence: {
        via: "fresh",
        observedAt: formatTime(start),
        host,
        status: 200,
        credential: "cred-1",
        asker: alice,
      },
    });
  });

  test("is asked anew once the interval is over, and says what there was", () => {
    expect(decideCheck(known, question({ now: start + 60_000 }))).toEqual({
      kind: "ask",
      because: "observed 1m ago, older than the interval of 1m",
    });
    expect(decideCheck(known, question({ now: start, interval: 0 })).kind).toBe("ask");
  });

  test("is never asked again with the interval never, but the first time it is", () => {
    expect(decideCheck(known, question({ now: start + 1e12, interval: "never" })).kind).toBe("fresh");
    expect(decideCheck(unknownScope, question({ interval: "never" }))).toEqual({ kind: "ask", because: null });
  });

  test("is asked whatever is known where the build was triggered by hand", () => {
    expect(decideCheck(known, question({ now: start + 41_000, skipInterval: true }))).toEqual({
      kind: "ask",
      because: "observed 41s ago, but the build was triggered by hand",
    });
    expect(decideCheck(known, question({ skipInterval: true, interval: "never" })).kind).toBe("ask");
  });

  test("joins another's check while its claim lives, and no longer", () => {
    const claim = fold([0, claimed(bob, 15_000)]);
    expect(decideCheck(claim, question({ now: start + 14_999 }))).toEqual({ kind: "join", asker: bob, node: "node-a" });
    expect(decideCheck(claim, question({ now: start + 15_000 }))).toEqual({ kind: "ask", because: null });
  });

  test("never joins its own claim, which a process that died left behind", () => {
    expect(decideCheck(fold([0, claimed(carol, 15_000)]), question({ asker: carol })).kind).toBe("ask");
  });

  test("is answered by what is fresh rather than by a check in flight", () => {
    expect(decideCheck(fold([0, observed(alice)], [1, claimed(bob, 15_000)]), question({})).kind).toBe("fresh");
  });

  describe("where the registry is to be spared", () => {
    const rateLimit = { limit: 100, remaining: 7, windowSeconds: 21_600 };
    const budget = { because: "budget", host, rateLimit } as const;
    const pause = { because: "retry-after", host, until: start + 7_200_000 } as const;

    test("is answered by an older observation within the bound, which says why, how old, and what is left", () => {
      expect(decideCheck(known, question({ now: start + 3_600_000, sparing: budget, credential: "cred-1" }))).toEqual({
        kind: "stale",
        version,
        because: "observed 1h ago, older than the interval of 1m",
        evidence: {
          via: "stale-served",
          observedAt: formatTime(start),
          host,
          status: 200,
          credential: "cred-1",
          asker: alice,
          rateLimit,
          stale: { because: "budget", boundMs: 3_600_000 },
        },
        revalidate: false,
      });
      expect(decideCheck(known, question({ now: start + 60_000, sparing: pause }))).toMatchObject({
        kind: "stale",
        evidence: { stale: { because: "retry-after", until: formatTime(start + 7_200_000) } },
      });
    });

    test("is asked all the same where nothing is known, or nothing young enough", () => {
      expect(decideCheck(unknownScope, question({ sparing: budget })).kind).toBe("ask");
      expect(decideCheck(known, question({ now: start + 3_600_001, sparing: budget })).kind).toBe("ask");
    });

    test("is asked all the same where the registry's last word was a refusal that will not pass", () => {
      const refused: ScopeFact = {
        type: "CheckFailed",
        data: { failure: { code: "FI_UNAUTHORIZED", message: "no", retryable: false }, asker: bob },
      };
      const now = start + 120_000;
      expect(decideCheck(fold([0, observed(alice)], [9, refused]), question({ now, sparing: pause })).kind).toBe("ask");
      expect(decideCheck(fold([0, observed(alice)], [9, failed(bob)]), question({ now, sparing: pause })).kind).toBe(
        "stale",
      );
    });

    test("is put by hand while it can be answered, and served what is known in a pause", () => {
      const byHand = { now: start + 120_000, skipInterval: true };
      expect(decideCheck(known, question({ ...byHand, sparing: budget })).kind).toBe("ask");
      expect(decideCheck(known, question({ ...byHand, sparing: pause }))).toMatchObject({
        kind: "stale",
        because: "observed 2m ago, but the build was triggered by hand",
      });
    });

    test("is answered by what is fresh, and joins a check in flight, as ever", () => {
      expect(decideCheck(known, question({ sparing: pause })).kind).toBe("fresh");
      const claim = fold([0, observed(alice)], [60_000, claimed(bob, 15_000)]);
      expect(decideCheck(claim, question({ now: start + 60_001, sparing: budget })).kind).toBe("join");
    });
  });

  test("counts an observation from a clock a little ahead of ours as new", () => {
    expect(decideCheck(known, question({ now: start - 5000 })).kind).toBe("fresh");
  });

  test("is asked where a clock that is wrong says it was observed later than now: it may be of any age", () => {
    const because = `observed at ${formatTime(start)}, by a clock that is ahead of ours`;
    const now = start - 5001;
    expect(decideCheck(known, question({ now }))).toEqual({ kind: "ask", because });
    expect(decideCheck(known, question({ now, staleWhileRevalidateMs: 60_000 })).kind).toBe("ask");
    // Where the registry is not to be asked, it says so.
    const sparing = { because: "budget", host } as const;
    expect(decideCheck(known, question({ now, sparing }))).toMatchObject({ kind: "stale", because });
    expect(decideCheck(known, question({ now, interval: "never" })).kind).toBe("fresh");
  });
});

function claimed(asker: Asker, ms: number): (at: number) => ScopeFact {
  const question = { scope: "0a1b", type: "registry-image", repository: "registry.test/app", tag: "v1", source: {} };
  return (at) => ({
    type: "CheckClaimed",
    data: { ...question, credential: null, asker, until: formatTime(at + ms) },
  });
}

function observed(asker: Asker, found = version): ScopeFact {
  const data = { version: found, changed: true, via: "HEAD", host, status: 200, asker } as const;
  return { type: "VersionObserved", data };
}

function vanished(asker: Asker): ScopeFact {
  return { type: "VersionVanished", data: { tag: "v1", host, status: 404, asker } };
}

function failed(asker: Asker, retryAfterMs?: number): ScopeFact {
  const more = retryAfterMs === undefined ? {} : { retryAfterMs };
  return { type: "CheckFailed", data: { failure, ...more, asker } };
}

function calledOff(asker: Asker): ScopeFact {
  return { type: "CheckFailed", data: { failure: aborted, asker } };
}

type Timed = ScopeFact | ((at: number) => ScopeFact);

/** As it is stored where who asked has shown a secret. */
function shown(proof: string, fact: Timed): (at: number) => ScopeFact {
  return (at) => {
    const { type, data } = typeof fact === "function" ? fact(at) : fact;
    return { type, data: { ...data, proof } } as ScopeFact;
  };
}

type Written = readonly [at: number, fact: Timed, node?: string];

/** Folds facts, each at so many milliseconds after the start. */
function fold(...facts: readonly Written[]): ScopeState {
  return foldBy(evolveScope, facts);
}

/** As {@link fold}, for who shows a secret. */
function foldFor(proof: string | null, ...facts: readonly Written[]): ScopeState {
  return foldBy((state, fact) => evolveScopeFor(proof, state, fact), facts);
}

function foldBy(evolve: typeof evolveScope, facts: readonly Written[]): ScopeState {
  return facts.reduce<ScopeState>((state, [after, fact, node = "node-a"], index) => {
    const at = start + after;
    const metadata = { schema: 1, $correlationId: "1", node, time: formatTime(at) };
    const stored = { id: "", stream: "imageScope-0a1b", revision: BigInt(index), position: `${index}`, metadata };
    return evolve(state, { ...stored, ...(typeof fact === "function" ? fact(at) : fact) });
  }, unknownScope);
}

/** Carol's, a minute being the interval, and nothing spared. */
function question(changes: Partial<CheckQuestion>): CheckQuestion {
  return {
    scope: "0a1b",
    asker: carol,
    now: start,
    interval: 60_000,
    skipInterval: false,
    atOnce: false,
    credential: null,
    staleWhileRevalidateMs: 0,
    stalenessBoundMs: 3_600_000,
    failureBackOff: { baseMs: 1000, capMs: 60_000 },
    refusalMemoryMs: 10_000,
    ...changes,
  };
}
