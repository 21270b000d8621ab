// The invariants of one fetch, over whatever facts reach it: packages/core/src/fetch-image/SPEC.md has the list.
import {
  begin,
  fetchImageMachine,
  type FetchRequest,
  type FetchState,
  isFinished,
  parseTime,
  type RecordedBuildFact,
  replayBuild,
  stateName,
  step,
} from "@fetch-image/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { anyHistory, anyInput, anyRequest } from "../support/any-fetch.ts";
import { inputOf } from "../support/fetch-facts.ts";
import { type BuildHistory, essence } from "../support/stream-histories.ts";
import { seedFromEnv } from "./seed.ts";

const terminal: ReadonlySet<string> = new Set([
  "ImageShortCircuited",
  "ArtifactFetched",
  "FetchFailed",
  "FetchAborted",
]);

test("I1: a fetch ends with one terminal fact, its last, and has none before", () => {
  everyHistory((history) => {
    const types = history.facts.map(({ type }) => type);
    const ends = types.flatMap((type, index) => (terminal.has(type) ? [index] : []));
    expect(ends).toEqual(isFinished(history.state()) ? [types.length - 1] : []);
  });
});

test("I2: nothing moves a finished fetch", () => {
  fc.assert(
    fc.property(anyHistory(), anyInput, (history, input) => {
      fc.pre(isFinished(history.state()));
      expect(history.offer(input)).toBe(false);
    }),
    settings,
  );
});

test("I3: a pinned fetch asks for no check and announces none", () => {
  fc.assert(
    fc.property(anyHistory(anyRequest().filter(isPinned)), (history) => {
      expect(history.facts.map(({ type }) => type)).not.toContain("ImageCheck");
      const owed = new Set(statesOf(history).map(owedKind));
      expect(owed).not.toContain("check-image");
      expect(owed).not.toContain("join-check");
    }),
    settings,
  );
});

test("I4: an image is short-circuited exactly where it can be resolved natively and nobody wants its bytes", () => {
  everyHistory((history) => {
    const { native, type, artifactWanted, unsupported, repository } = requestOf(history);
    const resolvable = native && type === "registry-image" && repository !== undefined && unsupported === undefined;
    const name = stateName(history.state());
    expect(name).not.toBe(resolvable && !artifactWanted ? "fetched" : "short-circuited");
    expect(history.state().imageURL !== null).toBe(name === "short-circuited");
  });
});

test("I5: a task's ImageCheck, if it has a check plan, and its ImageGet stand once each, directly behind FetchRequested", () => {
  everyHistory((history) => {
    const { kind, checkPlan } = requestOf(history);
    const announced = kind === "type" ? [] : [...(checkPlan === undefined ? [] : ["ImageCheck"]), "ImageGet"];
    const types = history.facts.map(({ type }) => type).slice(1);
    expect(types.slice(0, announced.length + 1)).toEqual(["FetchRequested", ...announced]);
    expect(types.filter((type) => type === "ImageCheck" || type === "ImageGet")).toEqual(announced);
  });
});

test("I6: a version is resolved at most once, and never changes", () => {
  everyHistory((history) => {
    const said = factsOf(history, "ImageVersionResolved");
    expect(said.length).toBeLessThanOrEqual(1);
    expect(history.state().resolved).toEqual(said[0]?.data ?? null);
    const resolved = statesOf(history).flatMap((state) => (state.resolved === null ? [] : [state.resolved]));
    for (const later of resolved) expect(later).toEqual(resolved[0]);
  });
});

test("I7: what is owed belongs to the state", () => {
  everyHistory((history) => {
    for (const state of statesOf(history)) expect(owedIn[stateName(state)] ?? null).toBe(owedKind(state));
  });
});
const owedIn: { readonly [state: string]: string } = {
  authorizing: "ask-policy request",
  checking: "check-image",
  waiting: "join-check",
  resolving: "ask-policy digest",
  "fetching-artifact": "fetch-artifact",
};

test("I8: an unfinished fetch owes something or waits for a timer, and a finished one does neither", () => {
  everyHistory((history) => {
    for (const state of statesOf(history)) {
      expect(state.owed !== null || state.timer !== null).toBe(!isFinished(state));
    }
  });
});

test("I9: a timer runs in waiting and in backing-off, and nowhere else", () => {
  everyHistory((history) => {
    for (const state of statesOf(history)) {
      expect(state.timer?.name).toBe({ waiting: "patience", "backing-off": "backoff" }[stateName(state) as "waiting"]);
    }
  });
});

test("I10: a hard denial is the end: nothing is owed, and there is no image", () => {
  fc.assert(
    fc.property(anyHistory(policed), (history) => {
      const decisions = factsOf(history, "PolicyDecided").map(({ data }) => data);
      fc.pre(decisions.some(({ decision, enforcement }) => decision === "denied" && enforcement !== "soft"));
      const { owed, timer, imageURL, failure, snapshot } = history.state();
      const end = { owed: null, timer: null, imageURL: null, value: "failed" };
      expect({ owed, timer, imageURL, value: snapshot.value }).toEqual(end);
      expect(failure?.code).toBe("FI_POLICY_DENIED");
    }),
    settings,
  );
});

test("I11: nothing is owed before the policy spoke on the request, and no image is given before it spoke on the digest", () => {
  fc.assert(
    fc.property(anyHistory(policed), (history) => {
      const spoken = new Set<string>();
      const early: unknown[] = [];
      replayBuild(history.facts, ({ fact, after }) => {
        if (fact.type === "PolicyDecided") spoken.add(fact.data.phase);
        const owed = after === undefined ? null : owedKind(after);
        if (!spoken.has("request") && owed !== null && owed !== "ask-policy request") early.push(fact);
        const given = fact.type === "ImageShortCircuited" || owed === "fetch-artifact";
        // Without a repository there is no reference that it could be asked about.
        if (given && !spoken.has(requestOf(history).repository === undefined ? "request" : "digest")) early.push(fact);
      });
      expect(early).toEqual([]);
    }),
    settings,
  );
});

test("I12: a version comes from a check that succeeded or from a pin: a failed check never yields an image", () => {
  everyHistory((history) => {
    const checked = factsOf(history, "ImageChecked").length;
    expect(checked).toBeLessThanOrEqual(isPinned(requestOf(history)) ? 0 : 1);
    expect(history.state().resolved !== null && !isPinned(requestOf(history)) && checked === 0).toBe(false);
    const answers = history.facts.filter(({ type }) => type === "ImageChecked" || type === "ImageCheckFailed");
    const failed = answers.at(-1)?.type === "ImageCheckFailed";
    expect(failed && (history.state().resolved !== null || history.state().imageURL !== null)).toBe(false);
  });
});

test("I13: a check, and then a get, is attempted no more often than the request allows", () => {
  everyHistory((history) => {
    const attempts = Math.max(1, requestOf(history).retry.attempts);
    expect(factsOf(history, "ImageCheckFailed").length).toBeLessThanOrEqual(attempts);
    expect(factsOf(history, "ArtifactFetchFailed").length).toBeLessThanOrEqual(attempts);
    const counted = statesOf(history).map(({ owed }) =>
      owed !== null && "attempt" in owed.effect ? owed.effect.attempt : 1,
    );
    expect(Math.max(...counted)).toBeLessThanOrEqual(attempts);
  });
});

test("I14: a delay is no shorter than Retry-After, and no longer than the cap or the patience", () => {
  everyHistory((history) => {
    const { retry, joinMs } = requestOf(history);
    const wrong: unknown[] = [];
    replayBuild(history.facts, ({ fact, after }) => {
      if (after === undefined || after.timer === null) return;
      const delay = after.timer.dueAt - parseTime(fact.metadata.time);
      const { retryAfterMs = 0 } = "retryAfterMs" in fact.data ? fact.data : {};
      const [least, most] =
        after.timer.name === "patience" ? [joinMs, joinMs] : [retryAfterMs, Math.max(retry.capMs, retry.patienceMs)];
      if (delay < least || delay > most) wrong.push({ fact, delay });
    });
    expect(wrong).toEqual([]);
  });
});

test("I15: whatever is owed anew is owed since a later fact, so that a late answer is told from the one awaited", () => {
  everyHistory((history) => {
    // Since when something is owed is the ordinal of the fact that made it so, among the fetch's own facts.
    const facts = history.facts.slice(1);
    const since: number[] = [];
    const causes: (string | undefined)[] = [];
    replayBuild(history.facts, ({ fact, after }) => {
      if (after === undefined || after.owed === null || after.owed.since === since.at(-1)) return;
      since.push(after.owed.since);
      causes.push(fact.id);
    });
    expect(since).toEqual([...new Set(since)].toSorted((a, b) => a - b));
    expect(since.map((ordinal) => facts[ordinal]?.id)).toEqual(causes);
  });
});

test("I16: an answer about one phase never counts for the other", () => {
  fc.assert(
    fc.property(anyHistory(policed), (history) => {
      const asked: unknown[] = [];
      const answered: unknown[] = [];
      let owed: string | null = null;
      replayBuild(history.facts, ({ fact, after }) => {
        if (fact.type === "PolicyDecided" || fact.type === "PolicyUnanswered") {
          asked.push(owed);
          answered.push(`ask-policy ${fact.data.phase}`);
        }
        owed = after === undefined ? null : owedKind(after);
      });
      expect(answered).toEqual(asked);
    }),
    settings,
  );
});

test("I17: the same request and the same facts at the same times make the same history", () => {
  fc.assert(
    fc.property(anyRequest(), fc.array(anyInput, { maxLength: 20 }), fc.nat(), (request, inputs, at) => {
      const run = () => {
        let { state } = begin(request, at);
        const says = inputs.map((input) => {
          const next = step(state, inputOf(request.fetchId, input), at);
          state = next?.state ?? state;
          return next?.says ?? "ignored";
        });
        return JSON.stringify([essence(state), says]);
      };
      expect(run()).toBe(run());
    }),
    settings,
  );
});

test("I18: a fact that the machine ignores changes nothing", () => {
  fc.assert(
    fc.property(anyHistory(), anyInput, (history, input) => {
      const before = JSON.stringify(essence(history.state()));
      const facts = history.facts.length;
      fc.pre(!history.offer(input));
      expect(JSON.stringify(essence(history.state()))).toBe(before);
      expect(history.facts).toHaveLength(facts);
    }),
    settings,
  );
});

test("I19: an image without a digest says that it is unpinned, and its reference is what its version says", () => {
  const images = anyRequest().filter(({ type }) => type === "registry-image");
  fc.assert(
    fc.property(anyHistory(images), (history) => {
      const { resolved, imageURL } = history.state();
      fc.pre(resolved !== null);
      const { repository } = requestOf(history);
      const { tag, digest } = resolved?.version ?? {};
      const named = `${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
      expect(resolved?.pinned).toBe(digest !== undefined);
      expect(resolved?.reference).toBe(repository === undefined ? undefined : named);
      expect([null, `docker:///${named}`]).toContain(imageURL);
    }),
    settings,
  );
});

test("I20: a fetch has a failure exactly where it failed, with a code, a message and what to expect of a retry", () => {
  everyHistory((history) => {
    const { failure, snapshot } = history.state();
    const said = factsOf(history, "FetchFailed").map(({ data }) => data.failure);
    expect(said).toEqual(snapshot.value === "failed" ? [failure] : []);
    expect(failure === null).toBe(said.length === 0);
    const told = /^FI_[A-Z_]+: .*, (?:true|false)$/;
    expect(said.map(({ code, message, retryable }) => `${code}: ${message}, ${retryable}`)).not.toContainEqual(
      expect.not.stringMatching(told),
    );
  });
});

test("I21: a request stands unchanged through the whole fetch", () => {
  everyHistory((history) => {
    const asked = factsOf(history, "FetchRequested")[0]?.data;
    for (const { snapshot } of statesOf(history)) expect(snapshot.context.request).toEqual(asked);
  });
});

test("C5: no name of xstate's is ever stored", () => {
  everyHistory((history) => {
    const stored = JSON.stringify(history.facts.map(({ type, data, metadata }) => ({ type, data, metadata })));
    expect(stored).not.toContain("xstate");
  });
});

test("the histories that these properties are about come to every state, and to every kind of fact", () => {
  const states = new Set<string>();
  const types = new Set<string>();
  // A fixed seed: that the generators are wide enough is no matter of luck.
  fc.assert(
    fc.property(anyHistory(), (history) => {
      for (const state of statesOf(history)) states.add(stateName(state));
      for (const { type } of history.facts) types.add(type);
    }),
    { seed: 1, numRuns: 500 },
  );
  expect(states).toEqual(new Set(Object.keys(fetchImageMachine.states)));
  expect(types.size).toBe(16);
});

const policed = anyRequest().map((request) => ({ ...request, policy: true }));
const settings = { seed: seedFromEnv(), numRuns: 200 };

function everyHistory(check: (history: BuildHistory) => void): void {
  fc.assert(fc.property(anyHistory(), check), settings);
}

/** The fetch's states, one after each fact that moved it. */
function statesOf(history: BuildHistory): readonly FetchState[] {
  const states: FetchState[] = [];
  replayBuild(history.facts, ({ after }) => {
    if (after !== undefined && after !== states.at(-1)) states.push(after);
  });
  return states;
}

function isPinned({ version, checkPlan }: FetchRequest): boolean {
  return version !== undefined && checkPlan === undefined;
}

function requestOf(history: BuildHistory): FetchRequest {
  return history.state().snapshot.context.request;
}

function factsOf<T extends RecordedBuildFact["type"]>(history: BuildHistory, type: T) {
  return history.facts.filter((fact): fact is Extract<RecordedBuildFact, { type: T }> => fact.type === type);
}

function owedKind({ owed }: FetchState): string | null {
  if (owed === null) return null;
  return owed.effect.kind === "ask-policy" ? `ask-policy ${owed.effect.phase}` : owed.effect.kind;
}
