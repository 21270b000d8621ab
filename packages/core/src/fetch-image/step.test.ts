import { describe, expect, test } from "vitest";
import type { Failure, FetchRequest } from "../facts/facts.ts";
import type { FetchInput } from "./codec.ts";
import { begin, type FetchOutput, type FetchState, isFinished, stateName, step } from "./step.ts";

const start = 1_795_322_400_000;
const fetchId = "f1/image-get";
const version = { tag: "v1", digest: `sha256:${"a".repeat(64)}` };
const reference = `registry.test/app:v1@${version.digest}`;
const outage: Failure = {
  code: "FI_REGISTRY_UNAVAILABLE",
  message: "registry.test answered 503",
  hint: "Try again later.",
  retryable: true,
  details: { host: "registry.test" },
};

const task: FetchRequest = {
  fetchId,
  planId: "f1",
  kind: "task",
  name: "image",
  type: "registry-image",
  source: { repository: "registry.test/app", tag: "v1" },
  credentials: false,
  repository: "registry.test/app",
  tag: "v1",
  checkPlan: { id: "f1/image-check" },
  getPlan: { id: fetchId },
  privileged: false,
  native: true,
  artifactWanted: false,
  checker: "registry",
  policy: false,
  retry: { attempts: 2, baseMs: 1000, capMs: 30_000, patienceMs: 60_000, jitter: 0.5 },
  joinMs: 15_000,
};
const { checkPlan: _checkPlan, ...withoutCheck } = task;
const pinned: FetchRequest = { ...withoutCheck, version, getPlan: { id: fetchId, get: { version } } };

const checked = {
  type: "ImageChecked",
  data: {
    fetchId,
    version,
    evidence: { via: "HEAD", observedAt: "2026-11-22T04:39:58.500Z", host: "registry.test", status: 200 },
    rejected: [],
  },
} as const satisfies FetchInput;
const checkFailed = (changes: Partial<Failure> = {}, retryAfterMs = 0): FetchInput => ({
  type: "ImageCheckFailed",
  data: { fetchId, failure: { ...outage, ...changes }, retryAfterMs },
});
const fired = (timer: "backoff" | "patience"): FetchInput => ({ type: "TimerFired", data: { fetchId, timer } });
const joined: FetchInput = { type: "CheckJoined", data: { fetchId, asker: { buildId: "122", fetchId: "e1" } } };

describe("what a fetch says", () => {
  test("a task's check and get are announced before anything runs, in this order", () => {
    expect(begin(task, start).says).toEqual([
      { type: "ImageCheck", data: { fetchId, planId: "f1", plan: { id: "f1/image-check" } } },
      { type: "ImageGet", data: { fetchId, planId: "f1", plan: { id: fetchId } } },
    ]);
  });

  test("a pinned task's get alone is announced, with its version, and it is done", () => {
    const { state, says } = begin(pinned, start);
    expect(says.map(({ type }) => type)).toEqual(["ImageGet", "ImageVersionResolved", "ImageShortCircuited"]);
    expect(says[0]?.data).toMatchObject({ plan: { get: { version } } });
    expect(outcome(state)).toEqual({
      in: "short-circuited",
      imageURL: `docker:///${reference}`,
      owed: null,
      timer: null,
    });
  });

  test("a type's plans stand in the build plan and are not announced", () => {
    expect(begin({ ...task, kind: "type" }, start).says).toEqual([]);
  });

  test("a version says how it was found, when, and how old that was", () => {
    const { state, says } = after(task, [checked]);
    const { evidence } = checked.data;
    const { observedAt } = evidence;
    const resolved = { fetchId, version, reference, via: "HEAD", pinned: true, observedAt, ageMs: 1500, evidence };
    expect(says[0]).toEqual({ type: "ImageVersionResolved", data: { ...resolved, rejected: [] } });
    expect(says[1]).toEqual({ type: "ImageShortCircuited", data: { fetchId, imageURL: `docker:///${reference}` } });
    expect(state.resolved?.ageMs).toBe(1500);
  });

  test("an observation from a clock ahead of ours is not of a negative age", () => {
    const { state } = begin(task, start - 60_000);
    expect(step(state, checked, start - 60_000)?.state.resolved?.ageMs).toBe(0);
  });

  test("a pin says nothing of an observation that nobody made", () => {
    const { state } = begin(pinned, start);
    expect(Object.keys(state.resolved ?? {})).toEqual(["fetchId", "version", "reference", "via", "pinned", "rejected"]);
  });

  test("another type's version has no reference", () => {
    const { repository: _repository, ...git } = { ...task, type: "git-image" };
    const { state } = after(git, [checked]);
    expect(state.resolved).not.toHaveProperty("reference");
    expect(stateName(state)).toBe("fetching-artifact");
  });

  test("a registry-image whose repository nobody knows is fetched, for no reference can be made", () => {
    const { repository: _repository, ...unknown } = task;
    expect(stateName(after(unknown, [checked]).state)).toBe("fetching-artifact");
  });
});

describe("where only the login tells what to pull from", () => {
  const { repository: _repository, ...unknown } = task;
  const repository = "1234.dkr.ecr.eu-west-1.amazonaws.com/app";
  const told = { ...checked, data: { ...checked.data, evidence: { ...checked.data.evidence, repository } } };

  test("the check's answer tells it, and the image is resolved natively", () => {
    const { state } = after(unknown, [told]);
    expect(stateName(state)).toBe("short-circuited");
    expect(state.imageURL).toBe(`docker:///${repository}:v1@${version.digest}`);
    expect(state.resolved).toMatchObject({ reference: `${repository}:v1@${version.digest}`, evidence: { repository } });
  });

  test("the policy is asked about that reference", () => {
    const allowed = {
      type: "PolicyDecided",
      data: { fetchId, phase: "request", decision: "allowed", reasons: [] },
    } as const;
    const { state } = after({ ...unknown, policy: true }, [allowed, told]);
    expect(state.owed?.effect).toEqual({ kind: "ask-policy", phase: "digest" });
  });
});

describe("why a fetch failed", () => {
  test("a failed check says so, and keeps the registry's failure as its cause", () => {
    const { state, says } = after(task, [checkFailed({ retryable: false })]);
    const { retryable: _retryable, ...cause } = outage;
    const failure = {
      code: "FI_CHECK_FAILED",
      message: "image check failed: registry.test answered 503",
      hint: "Try again later.",
      retryable: false,
      cause,
    };
    expect(says).toEqual([{ type: "FetchFailed", data: { fetchId, failure } }]);
    expect(state.failure).toEqual(failure);
  });

  test("a failed get says so", () => {
    const failed: FetchInput = {
      type: "ArtifactFetchFailed",
      data: { fetchId, failure: { ...outage, retryable: false } },
    };
    expect(after({ ...task, native: false }, [checked, failed]).state.failure).toMatchObject({
      code: "FI_GET_FAILED",
      message: "image fetching failed: registry.test answered 503",
      cause: { code: "FI_REGISTRY_UNAVAILABLE" },
    });
  });

  test.each([
    [["from an unknown registry", "unsigned"], "policy denies registry.test/app: from an unknown registry; unsigned"],
    [[], "policy denies registry.test/app: it gave no reason"],
  ])("a denial for %j names the image and the reasons", (reasons, message) => {
    const denied: FetchInput = {
      type: "PolicyDecided",
      data: { fetchId, phase: "request", decision: "denied", enforcement: "hard", reasons },
    };
    expect(after({ ...task, policy: true }, [denied]).state.failure).toEqual({
      code: "FI_POLICY_DENIED",
      message,
      retryable: false,
    });
  });

  test("a denial that does not say how hard it is counts as hard", () => {
    const denied: FetchInput = {
      type: "PolicyDecided",
      data: { fetchId, phase: "request", decision: "denied", reasons: [] },
    };
    expect(stateName(after({ ...task, policy: true }, [denied]).state)).toBe("failed");
  });

  test("a policy without an answer fails the fetch with its own failure", () => {
    const failure = { code: "FI_POLICY_UNAVAILABLE", message: "opa.test cannot be reached", retryable: true };
    const unanswered: FetchInput = { type: "PolicyUnanswered", data: { fetchId, phase: "request", failure } };
    expect(after({ ...task, policy: true }, [unanswered]).state.failure).toEqual(failure);
  });
});

describe("what a fetch owes", () => {
  test("a check, then nothing while it backs off, then the next attempt", () => {
    expect(begin(task, start).state.owed).toEqual({ effect: { kind: "check-image", attempt: 1 }, since: 0 });
    const backingOff = after(task, [checkFailed()]).state;
    expect(outcome(backingOff)).toMatchObject({ in: "backing-off", owed: null, timer: { name: "backoff" } });
    expect(after(task, [checkFailed(), fired("backoff")]).state).toMatchObject({
      owed: { effect: { kind: "check-image", attempt: 2 }, since: 4 },
      timer: null,
    });
  });

  test("attempts are counted anew for the get", () => {
    const physical = { ...task, native: false };
    const { state } = after(physical, [checkFailed(), fired("backoff"), checked]);
    expect(state.owed?.effect).toEqual({ kind: "fetch-artifact", attempt: 1, version });
  });

  test("another fetch's answer while it waits, and its own check once its patience is over", () => {
    const waiting = after(task, [joined]).state;
    expect(outcome(waiting)).toMatchObject({
      in: "waiting",
      owed: { effect: { kind: "join-check", asker: { buildId: "122", fetchId: "e1" } } },
      timer: { name: "patience", dueAt: start + 15_000 },
    });
    expect(outcome(after(task, [joined, fired("patience")]).state)).toMatchObject({
      in: "checking",
      owed: { effect: { kind: "check-image", attempt: 1 } },
      timer: null,
    });
  });

  test("the delay doubles from the base to the cap, jittered to no less than half, and never ends before Retry-After", () => {
    const due = (request: FetchRequest["retry"], ms: number) =>
      (after({ ...task, retry: request }, [checkFailed({}, ms)]).state.timer?.dueAt ?? 0) - start;
    expect(due({ ...task.retry, jitter: 0 }, 0)).toBe(500);
    expect(due({ ...task.retry, jitter: 1 }, 0)).toBe(1000);
    expect(due({ ...task.retry, jitter: 1, capMs: 300 }, 0)).toBe(300);
    expect(due(task.retry, 40_000)).toBe(40_000);
    const patient = { ...task, retry: { ...task.retry, attempts: 9, jitter: 1, capMs: 5000 } };
    const delays = [1, 2, 3, 4].map((failures) => {
      const retried = Array.from({ length: failures }, () => [checkFailed(), fired("backoff")])
        .flat()
        .slice(0, -1);
      return (after(patient, retried).state.timer?.dueAt ?? 0) - start;
    });
    expect(delays).toEqual([1000, 2000, 4000, 5000]);
  });

  test("nothing once it is finished, and nothing moves it then", () => {
    const aborted: FetchInput = { type: "FetchAborted", data: { fetchId, reason: "the build was aborted" } };
    const { state } = after(task, [joined, aborted]);
    expect(isFinished(state)).toBe(true);
    expect(outcome(state)).toEqual({ in: "aborted", imageURL: null, owed: null, timer: null });
    expect(step(state, checked, start)).toBeUndefined();
  });

  test("the policy's answer about the digest, not a late one about the request", () => {
    const allowed = (phase: "request" | "digest"): FetchInput => ({
      type: "PolicyDecided",
      data: { fetchId, phase, decision: "allowed", reasons: [] },
    });
    const { state } = after({ ...pinned, policy: true }, [allowed("request")]);
    expect(state.owed?.effect).toEqual({ kind: "ask-policy", phase: "digest" });
    expect(step(state, allowed("request"), start)).toBeUndefined();
    expect(step(state, allowed("digest"), start)?.state.imageURL).toBe(`docker:///${reference}`);
  });
});

/** The last step of a fetch that all these facts move, at one time. */
function after(
  request: FetchRequest,
  inputs: readonly FetchInput[],
): { state: FetchState; says: readonly FetchOutput[] } {
  return inputs.reduce(
    (last, input) => {
      const next = step(last.state, input, start);
      if (next === undefined) throw new Error(`${input.type} is ignored in ${stateName(last.state)}`);
      return next;
    },
    begin(request, start),
  );
}

function outcome(state: FetchState): unknown {
  return { in: stateName(state), imageURL: state.imageURL, owed: state.owed, timer: state.timer };
}
