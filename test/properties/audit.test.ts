// What the audit answers, against a model that is as plain as can be: a list of what was observed, and of what ran.
import { createAudit } from "@fetch-image/engine";
import { type BuildImageRow, formatTime, type ObservationRow, parseTime, type ReadModel } from "@fetch-image/core";
import { createMemoryReadModel } from "@fetch-image/store/memory";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { seedFromEnv } from "./seed.ts";

const start = parseTime("2026-11-22T04:40:00.000Z");
const at = (seconds: number): string => formatTime(start + seconds * 1000);
const repository = "registry.test/app";
const digestOf = (letter: string): string => `sha256:${letter.repeat(64)}`;

/** One check of a scope: a version, none, or a failure; and who ran what it found. */
interface Check {
  readonly scope: "s1" | "s2";
  readonly found: "a" | "b" | "c" | "vanished" | "failed";
  readonly wait: number;
  readonly runs: readonly ("short-circuited" | "failed" | "checking")[];
}

const anyChecks: fc.Arbitrary<readonly Check[]> = fc.array(
  fc.record({
    scope: fc.constantFrom("s1" as const, "s1" as const, "s2" as const),
    found: fc.constantFrom(
      "a" as const,
      "a" as const,
      "b" as const,
      "c" as const,
      "vanished" as const,
      "failed" as const,
    ),
    wait: fc.integer({ min: 1, max: 5 }),
    runs: fc.array(fc.constantFrom("short-circuited" as const, "failed" as const, "checking" as const), {
      maxLength: 3,
    }),
  }),
  { minLength: 1, maxLength: 40 },
);

interface Observed {
  readonly scope: string;
  readonly second: number;
  readonly found: string;
  readonly build: string;
}

interface Ran {
  readonly scope: string;
  readonly build: string;
  readonly digest: string;
  readonly second: number;
  readonly state: string;
}

/** The read model of a history, and the model's two lists. */
async function told(checks: readonly Check[]) {
  const observed: Observed[] = [];
  const ran: Ran[] = [];
  const observations: ObservationRow[] = [];
  const images: BuildImageRow[] = [];
  const last = new Map<string, string>();
  let second = 0;
  for (const [index, { scope, found, wait, runs }] of checks.entries()) {
    second += wait;
    const by = { buildId: `${index}.0`, fetchId: "1/image-get", node: "node-a/1" };
    const row = { scope, revision: BigInt(index), observedAt: at(second), ...by };
    if (found === "failed") observations.push({ ...row, outcome: "failed", failure: { code: "FI_REGISTRY_TIMEOUT" } });
    else if (found === "vanished") observations.push({ ...row, outcome: "vanished", tag: "v1" });
    else {
      const outcome = last.get(scope) === found ? "same" : "changed";
      observations.push({ ...row, outcome, tag: "v1", digest: digestOf(found) });
    }
    if (found === "failed") continue;
    last.set(scope, found);
    observed.push({ scope, second, found, build: `${index}.0` });
    if (found === "vanished") continue;
    for (const [nth, state] of runs.entries()) {
      const build = `${index}.${nth}`;
      const digest = digestOf(found);
      ran.push({ scope, build, digest, second, state });
      const time = { requestedAt: at(second), observedAt: at(second) };
      const name = { buildId: build, fetchId: "1/image-get", planId: "1", repository, tag: "v1", scope };
      images.push({ ...name, digest, state, via: "HEAD", ...time, reference: `${repository}:v1@${digest}` });
    }
  }
  const readModel = createMemoryReadModel();
  const scopes = ["s1", "s2"].map((scope) => ({ scope, repository, tag: "v1", credential: "anonymous" }));
  await readModel.apply({ builds: [], images, scopes, versions: [], observations }, { from: undefined, to: "1" });
  return { readModel, observed, ran, end: second };
}

const asked = (checks: readonly Check[]) => told(checks).then((all) => ({ ...all, audit: auditOf(all.readModel) }));
const auditOf = (readModel: ReadModel) => createAudit({ readModel });

test("as-of gives the last observation at or before the time and the next one after it, for every second", async () => {
  await fc.assert(
    fc.asyncProperty(anyChecks, async (checks) => {
      const { audit, observed, end } = await asked(checks);
      for (let second = 0; second <= end; second++) {
        const answers = await audit.asOf(`${repository}:v1`, at(second));
        expect(answers.map(({ scope }) => scope)).toEqual(["s1", "s2"]);
        for (const answer of answers) {
          const own = observed.filter(({ scope }) => scope === answer.scope);
          const last = own.findLast((one) => one.second <= second);
          const next = own.find((one) => one.second > second);
          expect(answer.last?.at).toBe(last && at(last.second));
          expect(answer.next?.at).toBe(next && at(next.second));
          expect(answer.known).toBe(
            last === undefined ? "unknown" : last.found === "vanished" ? "vanished" : "observed",
          );
          const isSeen = last !== undefined && last.found !== "vanished";
          expect(answer.version?.digest).toBe(isSeen ? digestOf(last.found) : undefined);
          expect(answer.image).toBe(isSeen ? `${repository}:v1@${digestOf(last.found)}` : undefined);
          expect(answer.sameAfter).toBe(last && next ? last.found === next.found : null);
        }
      }
    }),
    { seed: seedFromEnv(), numRuns: 40 },
  );
});

test("versions gives each stay once, a version that came back twice", async () => {
  await fc.assert(
    fc.asyncProperty(anyChecks, fc.integer({ min: 1, max: 4 }), async (checks, limit) => {
      const { audit, observed } = await asked(checks);
      for (const [index, scope] of ["s1", "s2"].entries()) {
        const expected: { found: string; first: number; last: number; count: number }[] = [];
        for (const { found, second } of observed.filter((one) => one.scope === scope)) {
          const stay = expected.at(-1);
          if (stay?.found === found) Object.assign(stay, { last: second, count: stay.count + 1 });
          else expected.push({ found, first: second, last: second, count: 1 });
        }
        const stays = [];
        let before: string | undefined;
        do {
          const histories = await audit.versions(repository, { limit, ...(before === undefined ? {} : { before }) });
          stays.push(...(histories[index]?.stays ?? []));
          before = histories[index]?.before;
        } while (before !== undefined);
        expect(
          stays
            .toReversed()
            .map(({ digest, vanished, firstObservedAt, lastObservedAt, observations }) => [
              vanished ? "vanished" : digest,
              firstObservedAt,
              lastObservedAt,
              observations,
            ]),
        ).toEqual(
          expected.map(({ found, first, last, count }) => [
            found === "vanished" ? found : digestOf(found),
            at(first),
            at(last),
            count,
          ]),
        );
        const current = expected.at(-1)?.found ?? "vanished";
        expect(stays.map((stay) => stay.current)).toEqual(stays.map((_, nth) => nth === 0 && current !== "vanished"));
      }
    }),
    { seed: seedFromEnv(), numRuns: 100 },
  );
});

test("drift tells every move once, whatever the page, with the first build that ran what it moved to", async () => {
  await fc.assert(
    fc.asyncProperty(anyChecks, fc.integer({ min: 1, max: 5 }), fc.nat({ max: 60 }), async (checks, limit, since) => {
      const { audit, observed, ran } = await asked(checks);
      const expected: unknown[] = [];
      for (const [index, { scope, found, second, build }] of observed.entries()) {
        const before = observed.slice(0, index).filter((one) => one.scope === scope);
        const previous = before.at(-1);
        const seen = before.findLast((one) => one.found !== "vanished");
        if (second < since || previous === undefined || seen === undefined || previous.found === found) continue;
        const first = ran.find(
          (one) =>
            one.scope === scope && one.second >= second && one.digest === digestOf(found) && one.state !== "failed",
        );
        expected.push([
          found === "vanished" ? "vanished" : previous.found === "vanished" ? "returned" : "moved",
          scope,
          digestOf(seen.found),
          at(seen.second),
          found === "vanished" ? null : digestOf(found),
          at(second),
          build,
          found === "vanished" ? null : (first?.build ?? null),
        ]);
      }
      const moves: unknown[] = [];
      let page: string | undefined;
      do {
        const answer = await audit.drift({ since: at(since), limit, ...(page === undefined ? {} : { page }) });
        expect(answer.rows.length).toBeLessThanOrEqual(limit);
        for (const { kind, scope, from, to, observedAt, observedBy, firstBuild } of answer.rows) {
          const build = firstBuild?.build ?? null;
          moves.push([
            kind,
            scope,
            from.digest,
            from.lastObservedAt,
            to?.digest ?? null,
            observedAt,
            observedBy.build,
            build,
          ]);
        }
        page = answer.next;
      } while (page !== undefined);
      expect(moves).toEqual(expected);
    }),
    { seed: seedFromEnv(), numRuns: 150 },
  );
});

test("builds finds everything that ran a digest or a tag in a stretch of time, whatever the page", async () => {
  const edges = fc.tuple(fc.nat({ max: 120 }), fc.nat({ max: 120 }));
  await fc.assert(
    fc.asyncProperty(
      anyChecks,
      edges,
      fc.integer({ min: 1, max: 7 }),
      fc.boolean(),
      async (checks, [a, b], limit, all) => {
        const { audit, ran } = await asked(checks);
        const [since, until] = [Math.min(a, b), Math.max(a, b)];
        for (const question of [
          { digest: digestOf("a") },
          { reference: `${repository}:v1` },
          { reference: repository },
        ]) {
          const expected = ran
            .filter(({ digest, second }) => (question.digest ?? digest) === digest && second >= since && second < until)
            .filter(({ state }) => all || state !== "failed")
            .map(({ build, second }) => `${build} ${at(second)}`);
          const found: string[] = [];
          let page: string | undefined;
          do {
            const range = { since: at(since), until: at(until), all, limit };
            const answer = await audit.builds({ ...question, ...range, ...(page === undefined ? {} : { page }) });
            found.push(...answer.rows.map(({ build, requestedAt = "" }) => `${build} ${requestedAt}`));
            page = answer.next;
          } while (page !== undefined);
          expect(found.toSorted()).toEqual(expected.toSorted());
        }
      },
    ),
    { seed: seedFromEnv(), numRuns: 100 },
  );
});
