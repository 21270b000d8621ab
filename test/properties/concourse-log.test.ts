// The log of any build in Concourse's events: the same bytes rendered live and rebuilt, read whole by Concourse's clients.
import {
  advanceStream,
  type ConcourseLog,
  concoursePlan,
  goJson,
  noLog,
  type RecordedBuildFact,
  renderConcourseLog,
} from "@fetch-image/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { anyScheduledBuild, shortCircuited } from "../support/any-scheduled-build.ts";
import { flyWatch } from "../support/concourse-readers/fly-watch.ts";
import { readSse } from "../support/concourse-readers/read-sse.ts";
import { webPage } from "../support/concourse-readers/web-page.ts";
import { testHash } from "../support/stream-histories.ts";
import { seedFromEnv } from "./seed.ts";

const anyBuild = anyScheduledBuild({ ends: false });
const endedBuild = anyScheduledBuild({ ends: true });

test("a log rendered as facts come and one rebuilt from zero are the same bytes", () => {
  fc.assert(
    fc.property(anyBuild, fc.nat(), ({ history }, at) => {
      const { facts } = history;
      const rebuilt = renderConcourseLog(facts.map(storedElsewhere));
      let live = "";
      const logs: ConcourseLog[] = [noLog];
      for (const fact of facts) {
        const next = advanceStream(logs.at(-1) ?? noLog, fact);
        logs.push(next.log);
        live += next.text;
      }
      expect(live).toBe(rebuilt);
      // From the log of any moment on, it is the rest.
      const from = at % (facts.length + 1);
      const rest = renderFrom(logs[from] ?? noLog, facts.slice(from));
      expect(rebuilt.endsWith(rest)).toBe(true);
      expect(renderFrom(noLog, facts.slice(0, from)) + rest).toBe(rebuilt);
    }),
    { seed: seedFromEnv(), numRuns: 50 },
  );
});

test("events have ids from 0 without gaps, twice in each, and whole seconds that never decrease", () => {
  fc.assert(
    fc.property(anyBuild, ({ history, ended }) => {
      const frames = readSse(renderConcourseLog(history.facts));
      expect(frames.map(({ id }) => id)).toEqual(frames.map((_, index) => String(index)));
      const events = frames.filter(({ name }) => name === "event").map(({ data }) => JSON.parse(data));
      expect(events.map(({ event_id: id }) => id)).toEqual(events.map((_, index) => String(index)));
      const times = events.map(({ data }) => data.time).filter((time) => time !== undefined);
      expect(times.filter((time, index) => !Number.isInteger(time) || time < (times[index - 1] ?? 0))).toEqual([]);
      expect(frames.filter(({ name }) => name === "end")).toHaveLength(ended === undefined ? 0 : 1);
    }),
    { seed: seedFromEnv(), numRuns: 50 },
  );
});

test("fly and the web page read any log whole: no event unknown, none lost, no plan announced twice", () => {
  fc.assert(
    fc.property(anyBuild, ({ history, plan, ended }) => {
      const text = renderConcourseLog(history.facts);
      const watched = flyWatch(text);
      expect(watched.exitStatus).not.toBe(255);
      expect(watched.cutOff).toBe(ended === undefined);
      const { dropped, orphans, wiped } = webPage(documentOf(plan), text);
      expect({ dropped, orphans, wiped }).toEqual({ dropped: [], orphans: [], wiped: [] });
    }),
    { seed: seedFromEnv(), numRuns: 50 },
  );
});

test("when a build has ended, every sub-step of its images has too: none is shown as cancelled", () => {
  fc.assert(
    fc.property(endedBuild, ({ history, plan }) => {
      const { steps } = webPage(documentOf(plan), renderConcourseLog(history.facts));
      const asked = new Set(history.states.keys());
      const open = [...steps.values()].filter(({ id, state }) => {
        const fetchId = id.replace(/image-check$/, "image-get");
        return asked.has(fetchId) && !["succeeded", "failed", "errored"].includes(state);
      });
      expect(open).toEqual([]);
    }),
    { seed: seedFromEnv(), numRuns: 50 },
  );
});

test("images that a step of a fetch would have run in have ended with it, whether they were fetched or not", () => {
  fc.assert(
    fc.property(endedBuild, ({ history, plan }) => {
      const { steps } = webPage(documentOf(plan), renderConcourseLog(history.facts));
      const open = [...steps.values()].filter(({ id, state }) => {
        const isWithin = [...history.states.keys()].some((fetchId) =>
          id.startsWith(`${fetchId.replace(/image-get$/, "")}image-`),
        );
        return isWithin && ["cancelled", "pending", "running", "interrupted"].includes(state);
      });
      expect(open).toEqual([]);
    }),
    { seed: seedFromEnv(), numRuns: 50 },
  );
});

test("fly prints the digest of every image that a kubelet pulls, while the build runs", () => {
  fc.assert(
    fc.property(endedBuild, (build) => {
      const before = build.history.facts.filter(({ type }) => type !== "BuildLogSealed");
      const { printed } = flyWatch(renderConcourseLog(before));
      const told = shortCircuited(build).filter((reference) => !printed.includes(`kubelet pulls ${reference}\n`));
      expect(told).toEqual([]);
    }),
    { seed: seedFromEnv(), numRuns: 50 },
  );
});

test("nothing behind the last status changes what was sealed", () => {
  fc.assert(
    fc.property(endedBuild, ({ history }) => {
      const seal = history.facts.find((fact) => fact.type === "BuildLogSealed");
      expect(testHash.sha256Hex(renderConcourseLog(history.facts))).toBe(seal?.data.sha256);
    }),
    { seed: seedFromEnv(), numRuns: 50 },
  );
});

function renderFrom(from: ConcourseLog, facts: readonly RecordedBuildFact[]): string {
  let text = "";
  let log = from;
  for (const fact of facts) {
    const next = advanceStream(log, fact);
    text += next.text;
    log = next.log;
  }
  return text;
}

/** As another store gives it back, with its fields in another order. */
function storedElsewhere(fact: RecordedBuildFact): RecordedBuildFact {
  return { ...fact, data: reversed(fact.data) } as RecordedBuildFact;
}

function reversed(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(reversed);
  const entries = Object.entries(value).map(([key, one]) => [key, reversed(one)]);
  return Object.fromEntries(entries.toReversed());
}

function documentOf(plan: Parameters<typeof concoursePlan>[0]): string {
  return goJson({ schema: "exec.v2", plan: concoursePlan(plan) });
}
