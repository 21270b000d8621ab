import {
  type CheckStep,
  compareSemanticVersions,
  type Digest,
  nextCheckStep,
  parseSemanticVersion,
  type RepositoryFacts,
  type TaggedDigest,
  type VersionCursor,
  versionRule,
  type VersionSource,
} from "@fetch-image/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cursor, digestOf, type Repository, repository, semverSource, source } from "./repository-arbitraries.ts";
import { check } from "./version-arbitraries.ts";

describe("a check of any repository, by any rule, from any cursor", () => {
  test("comes to an answer in four steps, and asks for nothing twice and nothing that is not listed", () => {
    check(
      fc.property(source(), repository(), cursor(), (source, repository, cursor) => {
        const { steps } = run(source, repository, cursor);
        expect(steps.length).toBeLessThanOrEqual(4);
        const asked = steps.flatMap((step) => (step.next === "resolve-tags" ? step.tags : []));
        expect(new Set(asked).size).toBe(asked.length);
        const listed = new Set([...repository.map(([tag]) => tag), source.tag]);
        expect(asked.filter((tag) => !listed.has(tag))).toEqual([]);
      }),
    );
  });

  test("answers the same, and asks for nothing, where everything is known before", () => {
    check(
      fc.property(source(), repository(), cursor(), (source, repository, cursor) => {
        const { answer, facts } = run(source, repository, cursor);
        const everything = {
          ...facts,
          tags: repository.map(([tag]) => tag),
          digests: new Map([...repository.map(([tag, digest]) => [tag, digestOf(digest)] as const), ...facts.digests]),
        };
        expect(nextCheckStep(ruleOf(source), { cursor, facts: everything })).toEqual(answer);
      }),
    );
  });

  test("answers with digests that the registry has, under tags that point to them", () => {
    check(
      fc.property(source(), repository(), cursor(), (source, repository, cursor) => {
        const { answer } = run(source, repository, cursor);
        const pointers = new Set(repository.map(([tag, digest]) => `${tag} ${digestOf(digest)}`));
        const strangers = answer.versions.filter(({ tag, digest }) => !pointers.has(`${tag} ${digest}`));
        // Only a tag that has moved brings a digest that no tag points to: the cursor's.
        expect(strangers.every(({ digest }) => source.tag !== undefined && digest === cursor?.digest)).toBe(true);
      }),
    );
  });
});

describe("semver tags", () => {
  test("are answered oldest first and each digest once, the bare tag last", () => {
    check(
      fc.property(semverSource(), repository(), cursor(), (source, repository, cursor) => {
        const { versions } = run(source, repository, cursor).answer;
        expect(new Set(versions.map(({ digest }) => digest)).size).toBe(versions.length);
        const bareAt = versions.findIndex(({ tag }) => tag === (source.variant ?? "latest"));
        expect([-1, versions.length - 1]).toContain(bareAt);
        const order = versions.filter((_, at) => at !== bareAt).map((version) => versionOf(version, source));
        expect(order.toSorted(compareSemanticVersions)).toEqual(order);
      }),
      1000,
    );
  });

  test("are each answered or rejected, once and with a reason", () => {
    check(
      fc.property(semverSource(), repository(), cursor(), (source, repository, cursor) => {
        const { versions, rejected } = run(source, repository, cursor).answer;
        const told = [...versions.map(({ tag }) => tag), ...rejected.map(({ candidate }) => candidate)];
        expect(told.toSorted()).toEqual(repository.map(([tag]) => tag).toSorted());
      }),
    );
  });

  test("from a cursor that holds are the cursor's digest and what comes after it, and nothing older is asked for", () => {
    check(
      fc.property(semverSource(), repository(), fc.nat(), (source, repository, which) => {
        const all = run(source, repository, undefined).answer.versions;
        const chosen = all.filter(({ tag }) => tag !== (source.variant ?? "latest"))[which % Math.max(all.length, 1)];
        fc.pre(chosen !== undefined);
        const { answer, steps } = run(source, repository, chosen);
        const from = versionOf(chosen, source);
        const isOlder = (tag: string) =>
          tag !== (source.variant ?? "latest") && compareSemanticVersions(versionOf({ tag }, source), from) < 0;
        expect(answer.versions.map(({ digest }) => digest)).toContain(chosen.digest);
        expect(answer.versions.filter(({ tag }) => isOlder(tag))).toEqual([]);
        expect(steps.flatMap((step) => (step.next === "resolve-tags" ? step.tags.filter(isOlder) : []))).toEqual([]);
      }),
      1000,
    );
  });

  test("from a cursor that has moved are the same digests as from none", () => {
    const digests = (versions: readonly TaggedDigest[]) => versions.map(({ digest }) => digest).toSorted();
    check(
      fc.property(semverSource(), repository(), cursor(), (source, repository, cursor) => {
        const moved = { tag: cursor?.tag, digest: digestOf(99) };
        expect(digests(run(source, repository, moved).answer.versions)).toEqual(
          digests(run(source, repository, undefined).answer.versions),
        );
      }),
    );
  });

  test("stay the same digests when the registry lists them in another order", () => {
    check(
      fc.property(semverSource(), repository(), (source, repository) => {
        const digests = (tags: Repository) => run(source, tags, undefined).answer.versions.map(({ digest }) => digest);
        expect(digests(repository.toReversed()).toSorted()).toEqual(digests(repository).toSorted());
      }),
    );
  });

  test("only ever lose digests to a constraint", () => {
    const constraint = fc.constantFrom("*", ">=1", "~1.2", "<2, !=1.1", "1 - 2", ">=0-0", "^1.0.0-alpha || 2.x");
    check(
      fc.property(semverSource(), repository(), constraint, (source, repository, semver_constraint) => {
        const { semver_constraint: _, ...free } = source;
        const all = new Set(run(free, repository, undefined).answer.versions.map(({ digest }) => digest));
        const some = run({ ...source, semver_constraint }, repository, undefined).answer.versions;
        expect(some.filter(({ digest }) => !all.has(digest))).toEqual([]);
      }),
    );
  });
});

test("tags that match a pattern are those in the registry's order that are there, whatever the cursor", () => {
  check(
    fc.property(
      fc.constantFrom("^1", "rc|foo$", ".", "^$", "\\.\\d$"),
      repository(),
      cursor(),
      (pattern, repository, cursor) => {
        // What a registry lists and no reference can name is passed over.
        const nameable = repository.filter(([tag]) => /^\w[\w.-]*$/.test(tag));
        const expected = nameable.filter(([tag, digest]) => new RegExp(pattern).test(tag) && digest !== undefined);
        expect(run({ tag_regex: pattern }, repository, cursor).answer.versions).toEqual(
          expected.map(([tag, digest]) => ({ tag, digest: digestOf(digest) })),
        );
      },
    ),
  );
});

interface Run {
  readonly answer: Extract<CheckStep, { next: "answer" }>;
  readonly steps: readonly CheckStep[];
  readonly facts: RepositoryFacts;
}

function run(source: VersionSource, repository: Repository, cursor: VersionCursor | undefined): Run {
  const rule = ruleOf(source);
  const pointsTo = new Map(repository);
  const digests = new Map<string, Digest | "absent">();
  const present = new Map<Digest, boolean>();
  const created = new Map<Digest, string | undefined>();
  let facts: RepositoryFacts = { digests, present, created };
  const steps: CheckStep[] = [];
  for (;;) {
    const step = nextCheckStep(rule, { cursor, facts });
    steps.push(step);
    if (steps.length > 10) throw new Error("the check does not end");
    switch (step.next) {
      case "list-tags":
        facts = { ...facts, tags: repository.map(([tag]) => tag) };
        break;
      case "resolve-tags":
        for (const tag of step.tags) digests.set(tag, digestOf(pointsTo.get(tag)));
        break;
      case "probe-digest":
        present.set(step.digest, Number(step.digest.slice(-2)) % 2 === 0);
        break;
      case "read-created":
        for (const digest of step.digests) created.set(digest, `2026-01-01T00:00:${digest.slice(-2)}Z`);
        break;
      case "fail":
        throw step.error;
      case "answer":
        return { answer: step, steps, facts };
    }
  }
}

function ruleOf(source: VersionSource) {
  const parsed = versionRule(source);
  if (!parsed.ok) throw parsed.error;
  return parsed.rule;
}

function versionOf({ tag }: { readonly tag: string }, { variant }: VersionSource) {
  const parsed = parseSemanticVersion(variant === undefined ? tag : tag.slice(0, -variant.length - 1));
  if (!parsed.ok) throw new Error(`${tag} is no version: ${parsed.problem}`);
  return parsed.version;
}
