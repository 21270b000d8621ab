// The newest version alone: always the last of all versions, whatever was known before, and for fewer questions.
import {
  type CheckStep,
  compareSemanticVersions,
  type Digest,
  nextCheckStep,
  parseSemanticVersion,
  type RecalledDigest,
  type RepositoryFacts,
  type TaggedDigest,
  type VersionCursor,
  versionRule,
  type VersionSource,
  type WantedVersions,
} from "@fetch-image/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cursor, digestOf, type Repository, repository, semverSource, source } from "./repository-arbitraries.ts";
import { check } from "./version-arbitraries.ts";

interface Knowledge {
  readonly cursor?: VersionCursor | undefined;
  readonly previous?: VersionCursor | undefined;
  readonly recalled?: ReadonlyMap<string, RecalledDigest>;
}

describe("the newest version alone", () => {
  test("is the last of all versions, by any rule, from any cursor", () => {
    check(
      fc.property(source(), repository(), cursor(), (source, repository, cursor) => {
        const newest = run("newest", source, repository, { cursor });
        expect(newest.versions).toEqual(run("all", source, repository, { cursor }).versions.slice(-1));
      }),
      5000,
    );
  });

  test("is the last of all versions, and its tag was asked for now, where much was learned lately", () => {
    check(
      fc.property(
        source(),
        repository(),
        cursor(),
        fc.infiniteStream(fc.boolean()),
        (source, repository, cursor, draw) => {
          const recalled = recollect(repository, draw, () => true);
          const newest = run("newest", source, repository, { cursor, recalled });
          expect(newest.versions).toEqual(run("all", source, repository, { cursor }).versions.slice(-1));
          expect(newest.asked).toEqual(expect.arrayContaining(newest.versions.map(({ tag }) => tag)));
        },
      ),
      3000,
    );
  });

  test("is the last of all versions when tags after the one known and the bare tag come, go and move", () => {
    check(
      fc.property(
        semverSource(),
        repository(),
        repository(),
        fc.infiniteStream(fc.boolean()),
        fc.constantFrom("nothing", "all", "some"),
        (source, before, later, draw, remembered) => {
          const previous = run("all", source, before, {}).versions.at(-1);
          const now = movedOn(source, before, { later, previous });
          const recalled = recollect(before, draw, () => false);
          const newest = run("newest", source, now, {
            previous,
            ...(remembered === "nothing" ? {} : { recalled: remembered === "all" ? recollect(before) : recalled }),
          });
          expect(newest.versions).toEqual(run("all", source, now, {}).versions.slice(-1));
        },
      ),
      5000,
    );
  });

  test("is the last of all versions where no tag is what it was, whatever is remembered", () => {
    check(
      fc.property(
        semverSource(),
        repository(),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        (source, before, moves) => {
          const previous = run("all", source, before, {}).versions.at(-1);
          const now = before.map(([tag, was = 0]) => [tag, (was + Number(moves.next().value)) % 10] as const);
          const newest = run("newest", source, now, { previous, recalled: recollect(before) });
          expect(newest.versions).toEqual(run("all", source, now, {}).versions.slice(-1));
        },
      ),
      3000,
    );
  });

  test("is asked for in few rounds, nothing twice, nothing that is not listed, and never more than for all", () => {
    check(
      fc.property(source(), repository(), cursor(), (source, repository, cursor) => {
        const { asked, rounds, probes } = run("newest", source, repository, { cursor });
        expect(new Set(asked).size).toBe(asked.length);
        const all = run("all", source, repository, { cursor }).asked;
        expect(asked.filter((tag) => !all.includes(tag))).toEqual([]);
        expect(rounds).toBeLessThanOrEqual(16);
        expect(probes).toBe(0);
      }),
      2000,
    );
  });
});

describe("of 5,000 versions", () => {
  const tags = Array.from(
    { length: 5000 },
    (_, at) => `${Math.floor(at / 500)}.${Math.floor(at / 10) % 50}.${at % 10}`,
  );
  const old: Repository = tags.map((tag, at) => [tag, at]);
  const newestFirst = old.toReversed();
  const last = tags.at(-1) ?? "";
  const previous = { tag: last, digest: digestOf(4999) };

  test("the newest costs two questions where the registry lists it first, as latest or not", () => {
    const listed: Repository = [...newestFirst, ["latest", 4999]];
    const { asked, versions } = run("newest", {}, listed, {});
    expect({ asked, versions }).toEqual({ asked: [last, "latest"], versions: [previous] });
    expect(run("newest", { semver_constraint: "*" }, listed, {}).asked).toEqual([last]);
  });

  test("the newest costs a question for each where the registry lists it last: any before it may have its digest", () => {
    const alias: Repository = old.map(([tag, digest]) => [tag, tag === "0.0.7" ? 4999 : digest]);
    expect(run("newest", {}, alias, {}).versions).toEqual([{ tag: tags.at(-2), digest: digestOf(4998) }]);
    expect(run("newest", {}, old, {}).asked).toHaveLength(5000);
  });

  test("checked again with nothing new costs one question, and one for latest", () => {
    const { asked, versions } = run("newest", {}, [...old, ["latest", 4999]], { previous });
    expect({ asked, versions }).toEqual({ asked: [last, "latest"], versions: [previous] });
  });

  test("checked again with a new one costs three, from what is remembered of the others", () => {
    const now: Repository = [...old, ["9.50.0", 5000], ["latest", 5000]];
    const { asked, versions } = run("newest", {}, now, { previous, recalled: recollect(old) });
    expect(asked.toSorted()).toEqual([last, "9.50.0", "latest"].toSorted());
    expect(versions).toEqual([{ tag: "9.50.0", digest: digestOf(5000) }]);
  });

  test("checked again with latest on an older one costs three: that one is asked whether it still has the digest", () => {
    const now: Repository = [...old, ["latest", 1234]];
    const { asked, versions } = run("newest", {}, now, { previous, recalled: recollect(now) });
    expect(asked).toEqual([last, "latest", tags[1234]]);
    expect(versions).toEqual([previous]);
  });

  test("and where the newest are listed and gone, costs no more than twice those", () => {
    const now: Repository = old.map(([tag, digest], at) => [tag, at < 4900 ? digest : undefined]);
    const { asked } = run("newest", { semver_constraint: ">=9" }, now.toReversed(), {});
    expect(asked.length).toBeLessThanOrEqual(200);
    expect(run("newest", { tag_regex: "." }, now, {}).asked.length).toBeLessThanOrEqual(200);
  });

  test("the last that matches a pattern costs one", () => {
    expect(run("newest", { tag_regex: "^9" }, old, {}).asked).toEqual([last]);
  });
});

/** The repository later: tags after the version known so far, and the bare tag, are those of `later`. */
function movedOn(
  source: VersionSource,
  before: Repository,
  { later, previous }: { readonly later: Repository; readonly previous: TaggedDigest | undefined },
): Repository {
  const suffix = source.variant === undefined ? "" : `-${source.variant}`;
  const from = versionOf(previous?.tag ?? "", suffix);
  const stays = (tag: string) => {
    const version = versionOf(tag, suffix);
    return from !== undefined && version !== undefined && compareSemanticVersions(version, from) <= 0;
  };
  // Where the bare tag was the newest there is no version from which to go on, and nothing was known.
  if (from === undefined) return before.filter(([tag]) => versionOf(tag, suffix) !== undefined);
  return [...before.filter(([tag]) => stays(tag)), ...later.filter(([tag]) => !stays(tag))];
}

function versionOf(tag: string, suffix: string) {
  if (!tag.endsWith(suffix)) return undefined;
  const parsed = parseSemanticVersion(tag.slice(0, tag.length - suffix.length));
  return parsed.ok ? parsed.version : undefined;
}

function recollect(
  repository: Repository,
  draw: Iterator<boolean> = always(),
  recent: () => boolean = () => false,
): ReadonlyMap<string, RecalledDigest> {
  return new Map(
    repository
      .filter(() => draw.next().value === true)
      .map(([tag, digest]) => [tag, { digest: digestOf(digest), recent: recent() }]),
  );
}

function* always(): Iterator<boolean> {
  for (;;) yield true;
}

interface Run {
  readonly versions: readonly TaggedDigest[];
  readonly asked: readonly string[];
  readonly rounds: number;
  readonly probes: number;
}

function run(want: WantedVersions, source: VersionSource, repository: Repository, knowledge: Knowledge): Run {
  const parsed = versionRule(source);
  if (!parsed.ok) throw parsed.error;
  const { recalled, ...more } = knowledge;
  const pointsTo = new Map(repository);
  const digests = new Map<string, Digest | "absent">();
  const present = new Map<Digest, boolean>();
  const created = new Map<Digest, string | undefined>();
  let facts: RepositoryFacts = { digests, present, created, ...(recalled ? { recalled } : {}) };
  const asked: string[] = [];
  let probes = 0;
  for (let rounds = 1; ; rounds++) {
    const step: CheckStep = nextCheckStep(parsed.rule, { ...more, facts, want });
    if (rounds > 100) throw new Error("the check does not end");
    switch (step.next) {
      case "list-tags":
        facts = { ...facts, tags: repository.map(([tag]) => tag) };
        break;
      case "resolve-tags":
        if (step.tags.length === 0) throw new Error("it asks for nothing");
        asked.push(...step.tags);
        for (const tag of step.tags) digests.set(tag, digestOf(pointsTo.get(tag)));
        break;
      case "probe-digest":
        probes++;
        present.set(step.digest, Number(step.digest.slice(-2)) % 2 === 0);
        break;
      case "read-created":
        for (const digest of step.digests) created.set(digest, `2026-01-01T00:00:0${Number(digest.slice(-4)) % 10}Z`);
        break;
      case "fail":
        throw step.error;
      case "answer":
        return { versions: step.versions, asked, rounds, probes };
    }
  }
}
