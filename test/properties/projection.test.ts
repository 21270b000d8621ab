// The read model from pages of facts: the same however the store cuts them.
import {
  type BuildImageRow,
  isBuildFact,
  isFinished,
  projectFacts,
  type ReadModelChanges,
  replayBuild,
  stateName,
  type VersionRow,
} from "@fetch-image/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type AnyFact, anyFacts } from "./any-facts.ts";
import { seedFromEnv } from "./seed.ts";

test("pages of facts, applied one after the other, make the rows of all facts at once", () => {
  fc.assert(
    fc.property(anyFacts(), fc.array(fc.nat({ max: 200 })), (facts, cuts) => {
      const paged = new Tables();
      for (const page of cutAt(facts, cuts)) paged.apply(projectFacts(page));
      const whole = new Tables();
      whole.apply(projectFacts(facts));
      expect(paged.rows).toEqual(whole.rows);
    }),
    { seed: seedFromEnv(), numRuns: 400 },
  );
});

test("a page has at most one row for each key", () => {
  fc.assert(
    fc.property(anyFacts(), (facts) => {
      const changes = projectFacts(facts);
      const rows = new Tables();
      rows.apply(changes);
      const given = Object.values(changes).map((table: readonly object[]) => table.length);
      expect(given).toHaveLength(5);
      expect(rows.rows.size).toBe(given.reduce((sum, length) => sum + length));
    }),
    { seed: seedFromEnv() },
  );
});

test("an image's row says what the machine says: its state where it has ended, its version in every state", () => {
  fc.assert(
    fc.property(anyFacts(), (facts) => {
      const images = new Map(projectFacts(facts).images.map((row) => [imageKey(row), row]));
      for (const buildId of ["1", "2"]) {
        const ofBuild = facts.filter(isBuildFact).filter(({ stream }) => stream === `build-${buildId}`);
        const { fetches } = replayBuild(ofBuild);
        for (const [fetchId, state] of fetches) {
          const row = images.get(imageKey({ buildId, fetchId }));
          expect(row?.version).toEqual(state.resolved?.version);
          expect(row?.imageURL ?? null).toBe(state.imageURL);
          expect(row?.endedAt === undefined).toBe(!isFinished(state));
          expect(isFinished(state) ? row?.state : undefined).toBe(isFinished(state) ? stateName(state) : undefined);
        }
        expect([...images.values()].filter((row) => row.buildId === buildId)).toHaveLength(fetches.size);
      }
    }),
    { seed: seedFromEnv() },
  );
});

test("only what a scope's own stream observed is a version of the scope", () => {
  fc.assert(
    fc.property(anyFacts(), (facts) => {
      const observed = facts.flatMap(({ type, stream, data }) =>
        type === "VersionObserved" ? [`${stream} ${data.version["digest"]}`] : [],
      );
      const rows = projectFacts(facts).versions.map(({ scope, digest }) => `imageScope-${scope} ${digest}`);
      expect(new Set(rows)).toEqual(new Set(observed));
    }),
    { seed: seedFromEnv() },
  );
});

test("every answer of a registry, and every failure to give one, is an observation, in the stream's order", () => {
  fc.assert(
    fc.property(anyFacts(), (facts) => {
      const asked = facts.flatMap((fact) => {
        const { type } = fact;
        if (type !== "VersionObserved" && type !== "VersionVanished" && type !== "CheckFailed") return [];
        const failed = type === "CheckFailed" ? "failed" : "vanished";
        return [{ fact, outcome: type !== "VersionObserved" ? failed : fact.data.changed ? "changed" : "same" }];
      });
      const { observations } = projectFacts(facts);
      expect(observations.map(({ scope, revision, outcome }) => ({ scope, revision, outcome }))).toEqual(
        asked.map(({ fact, outcome }) => ({ scope: fact.stream.slice(11), revision: fact.revision, outcome })),
      );
      for (const [index, { fact }] of asked.entries()) {
        const { metadata, data } = fact;
        expect(observations[index]).toMatchObject({ observedAt: metadata.time, node: metadata.node, ...data.asker });
      }
    }),
    { seed: seedFromEnv() },
  );
});

/** The read model's merging, as its port describes it and as simply as can be. */
class Tables {
  readonly rows = new Map<string, object>();

  apply({ builds, images, scopes, versions, observations }: ReadModelChanges): void {
    for (const row of builds) this.#put(`build ${row.buildId}`, row);
    for (const row of images) this.#put(`image ${imageKey(row)}`, row);
    for (const row of scopes) this.#put(`scope ${row.scope}`, row);
    for (const row of observations) this.#put(`observation ${row.scope} ${row.revision}`, row);
    for (const row of versions) this.#putVersion(`version ${row.scope} ${row.tag} ${row.digest}`, row);
  }

  #put(key: string, row: object): void {
    const given = Object.entries(row).filter(([, value]) => value !== undefined);
    this.rows.set(key, { ...this.rows.get(key), ...Object.fromEntries(given) });
  }

  #putVersion(key: string, row: VersionRow): void {
    const times = (field: "firstObservedAt" | "lastObservedAt") =>
      [this.rows.get(key), row].flatMap((stored: Partial<VersionRow> | undefined) => stored?.[field] ?? []).toSorted();
    const [firstObservedAt, lastObservedAt] = [times("firstObservedAt").at(0), times("lastObservedAt").at(-1)];
    this.#put(key, { ...row, firstObservedAt, lastObservedAt });
  }
}

function imageKey({ buildId, fetchId }: Pick<BuildImageRow, "buildId" | "fetchId">): string {
  return `${buildId} ${fetchId}`;
}

function cutAt(facts: readonly AnyFact[], cuts: readonly number[]): readonly (readonly AnyFact[])[] {
  const edges = [0, ...cuts.filter((cut) => cut < facts.length).toSorted((a, b) => a - b), facts.length];
  return edges.slice(1).map((end, index) => facts.slice(edges[index], end));
}
