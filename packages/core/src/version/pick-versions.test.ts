import { describe, expect, test } from "vitest";
import type { Digest } from "../image/digest.ts";
import type { CheckStep, VersionCursor } from "./check-step.ts";
import { nextCheckStep } from "./pick-versions.ts";
import { versionRule, type VersionSource } from "./version-rule.ts";

describe("a tag", () => {
  const source = { tag: "1.36" };

  test("is answered with the digest it points to", () => {
    expect(check(source, { "1.36": "a" }).versions).toEqual(["1.36 a"]);
  });

  test("that the registry has not is answered with nothing", () => {
    expect(check(source, {}).versions).toEqual([]);
    expect(check(source, {}, { cursor: { tag: "1.36", digest: digest("a") } }).versions).toEqual([]);
  });

  test("that still points to the cursor's digest is one version, and costs one question", () => {
    const { versions, asked } = check(source, { "1.36": "a" }, { cursor: { tag: "1.36", digest: digest("a") } });
    expect(versions).toEqual(["1.36 a"]);
    expect(asked).toEqual(["digest of 1.36"]);
  });

  test("that has moved is two versions as long as the old digest is there", () => {
    const { versions, asked } = check(
      source,
      { "1.36": "b" },
      { cursor: { tag: "1.36", digest: digest("a") }, kept: ["a"] },
    );
    expect(versions).toEqual(["1.36 a", "1.36 b"]);
    expect(asked).toEqual(["digest of 1.36", "presence of a"]);
  });

  test("that has moved is one version where the old digest is gone, and says so", () => {
    const { versions, rejected } = check(source, { "1.36": "b" }, { cursor: { tag: "1.36", digest: digest("a") } });
    expect(versions).toEqual(["1.36 b"]);
    expect(rejected).toEqual([{ candidate: digest("a"), reason: "the registry has it no more" }]);
  });

  test("names both versions, whatever tag the cursor has or lacks", () => {
    for (const tag of [undefined, "", "1.35"]) {
      const moved = check(source, { "1.36": "b" }, { cursor: { tag, digest: digest("a") }, kept: ["a"] });
      expect(moved.versions).toEqual(["1.36 a", "1.36 b"]);
      const same = check(source, { "1.36": "b" }, { cursor: { tag, digest: digest("b") } });
      expect(same.versions).toEqual(["1.36 b"]);
    }
  });

  test.each([undefined, "", "latest", "sha256:abc"])("with a cursor whose digest is %j is asked for alone", (bad) => {
    const { versions, asked } = check(source, { "1.36": "b" }, { cursor: { tag: "1.36", digest: bad } });
    expect(versions).toEqual(["1.36 b"]);
    expect(asked).toEqual(["digest of 1.36"]);
  });
});

describe("semver tags", () => {
  interface Example {
    readonly source?: VersionSource;
    /** In the registry's order: tag and digest; a tag that is listed and not there has none. */
    readonly tags: string;
    readonly cursor?: string;
    readonly versions: string;
  }
  const examples: { readonly [title: string]: Example } = {
    "no tag is a version": { tags: "nightly:a main:b", versions: "" },
    "an empty repository": { tags: "", versions: "" },
    "what is no version is passed over": { tags: "nightly:a 1.0.0:b V1.2:c 1.2.3.4:d 1.0.0-01:e", versions: "1.0.0 b" },
    "oldest first, whatever the registry's order": {
      tags: "2.0.0:c 1.10.0:b 1.9.0:a 10:d",
      versions: "1.9.0 a, 1.10.0 b, 2.0.0 c, 10 d",
    },
    "a date or a number is a version too": {
      tags: "2024.01.02:b 01.2:a 20240102030405678:c v3:d",
      versions: "01.2 a, v3 d, 2024.01.02 b, 20240102030405678 c",
    },
    "latest alone": { tags: "nightly:a latest:b", versions: "latest b" },
    "latest comes last where no version has its digest": {
      tags: "latest:c 1.0.0:a 2.0.0:b",
      versions: "1.0.0 a, 2.0.0 b, latest c",
    },
    "latest is left out where a version has its digest": { tags: "1:a latest:b 2:b 3:c", versions: "1 a, 2 b, 3 c" },
    "latest is left out under a constraint": {
      source: { semver_constraint: ">=0" },
      tags: "latest:b 1.0.0:a",
      versions: "1.0.0 a",
    },
    "a digest is listed once, by the name with most dots": {
      tags: "1:a 2:b 2.1:b latest:e 3:e 3.2:e 3.2.1:e 3.1:d 3.1.0:d 3.0:c 3.0.0:c",
      versions: "1 a, 2.1 b, 3.0.0 c, 3.1.0 d, 3.2.1 e",
    },
    "of equally good names the registry's first": {
      tags: "v1.2.3:a 1.2.3:a 2.0.0:b 1.5.0:b",
      versions: "v1.2.3 a, 2.0.0 b",
    },
    "a final version is a better name than a pre-release": {
      source: { pre_releases: true },
      tags: "1.0.0-rc.1:a 1.0:a 1.0.0-rc:a 1.0.0-rc.1.2:a 2.0.0-rc:b 2.0.0-rc.1:b",
      versions: "1.0 a, 2.0.0-rc.1 b",
    },
    "equals that have a digest each are versions, the one with more dots the newer": {
      tags: "1.2.0:b v1.2:a 1:c",
      versions: "1 c, v1.2 a, 1.2.0 b",
    },
    "equals with as many dots come in the order of their characters": {
      tags: "v1:b 1:a v01:c",
      versions: "1 a, v01 c, v1 b",
    },
    "a tag that is listed and not there is no version": { tags: "1.0.0 2.0.0:b latest", versions: "2.0.0 b" },
    "a tag that is listed twice counts once": { tags: "1.0.0:a 1.0.0:a", versions: "1.0.0 a" },
    "a list may hold what is no tag": { tags: "1.0.0:a 2.0.0+x:b ../1:c", versions: "1.0.0 a" },

    "a constraint": {
      source: { semver_constraint: "1.2.x" },
      tags: "1.0.0:a 1.2.1:b 1.2.2:c 2.0.0:d",
      versions: "1.2.1 b, 1.2.2 c",
    },
    "a constraint's pre-releases need pre_releases": {
      source: { semver_constraint: ">=1.0.0-0" },
      tags: "1.0.0-rc.1:a 1.0.0:b",
      versions: "1.0.0 b",
    },
    "pre_releases needs a constraint that lets them in": {
      source: { semver_constraint: ">=1", pre_releases: true },
      tags: "1.1.0-rc.1:a 1.0.0:b",
      versions: "1.0.0 b",
    },

    "pre-releases are left out": { tags: "1.0.0-alpha.1:a 1.0.0:b 2.0.0-rc.1:c", versions: "1.0.0 b" },
    "pre-releases are let in": {
      source: { pre_releases: true },
      tags: "1.0.0-rc1:d 1.0.0-beta:c 1.0.0:e 1.0.0-alpha.2:b 1.0.0-alpha.1:a",
      versions: "1.0.0-alpha.1 a, 1.0.0-alpha.2 b, 1.0.0-beta c, 1.0.0-rc1 d, 1.0.0 e",
    },
    "other words are variants, and so is a second dash": {
      source: { pre_releases: true },
      tags: "1.0.0-alpine:a 1.0.0-rc.1-alpine:b 1.0.0-0:c 1.0.0-ALPHA:d 1.0.0-rc:e",
      versions: "1.0.0-rc e",
    },
    "more words can be pre-releases, and a second dash then says nothing": {
      source: { pre_releases: true, pre_release_prefixes: ["build"] },
      tags: "1.0.0-build-2:a 1.0.0-rc.1-alpine:b 1.0.0-builder:c 1.0.0-dev.1:d 1.0.0-alpha:e",
      versions: "1.0.0-alpha e, 1.0.0-build-2 a, 1.0.0-builder c, 1.0.0-rc.1-alpine b",
    },
    "an empty word lets every pre-release in": {
      source: { pre_releases: true, pre_release_prefixes: [""] },
      tags: "1.0.0-alpine:b 1.0.0-0:a",
      versions: "1.0.0-0 a, 1.0.0-alpine b",
    },

    "a variant": {
      source: { variant: "alpine" },
      tags: "latest:a 1.0.0:a alpine:b 1.0.0-alpine:b 0.9.0-alpine:c 1.0.0-slim:d",
      versions: "0.9.0-alpine c, 1.0.0-alpine b",
    },
    "the variant's own tag comes last where no version has its digest": {
      source: { variant: "alpine" },
      tags: "latest:a alpine:b 0.9.0-alpine:c",
      versions: "0.9.0-alpine c, alpine b",
    },
    "a variant of two words": {
      source: { variant: "php7.3-apache" },
      tags: "1.2-php7.3-apache:a 1.2.3-php7.3-apache:a 1.2.4-apache:b",
      versions: "1.2.3-php7.3-apache a",
    },
    "a variant's pre-releases": {
      source: { variant: "alpine", pre_releases: true },
      tags: "1.0.0-alpine:c 1.0.0-rc.1-alpine:b 1.0.0-slim-alpine:d 1.0.0-rc.1-slim-alpine:e 1.0.0-alpha-alpine:a",
      versions: "1.0.0-alpha-alpine a, 1.0.0-rc.1-alpine b, 1.0.0-alpine c",
    },
    "a variant's constraint is asked about the version before it": {
      source: { variant: "alpine", semver_constraint: ">=1" },
      tags: "1.2.0-alpine:a 0.9-alpine:b alpine:c",
      versions: "1.2.0-alpine a",
    },

    "the cursor stays first, and what came before it is gone": {
      tags: "1.0.0:a 1.2.1:b 2.0.0:c",
      cursor: "1.2.1:b",
      versions: "1.2.1 b, 2.0.0 c",
    },
    "equals of the cursor are not looked at": {
      tags: "1.2:x 1.2.0:b v1.2.0:y 2:c",
      cursor: "1.2.0:b",
      versions: "1.2.0 b, 2 c",
    },
    "a better name of the cursor's digest takes its place": {
      tags: "1.2:b 1.2.3:b 1.1.0:a",
      cursor: "1.2:b",
      versions: "1.2.3 b",
    },
    "an equally good name does not": { tags: "1.2.4:b 1.2.3:b", cursor: "1.2.3:b", versions: "1.2.3 b" },
    "a cursor that has moved brings everything back": {
      tags: "1.0.0:a 1.2.1:b 2.0.0:c",
      cursor: "1.2.1:x",
      versions: "1.0.0 a, 1.2.1 b, 2.0.0 c",
    },
    "and so does one that is not there": { tags: "1.0.0:a 2.0.0:c", cursor: "1.2.1:b", versions: "1.0.0 a, 2.0.0 c" },
    "or is listed and not there": { tags: "1.0.0:a 1.2.1 2.0.0:c", cursor: "1.2.1:b", versions: "1.0.0 a, 2.0.0 c" },
    "or is no version": { tags: "1.0.0:a latest:b", cursor: "latest:b", versions: "1.0.0 a, latest b" },
    "or is none any more under the constraint": {
      source: { semver_constraint: ">=2" },
      tags: "1.0.0:a 2.0.0:b",
      cursor: "1.0.0:a",
      versions: "2.0.0 b",
    },
    "or has no digest": { tags: "1.0.0:a 2.0.0:b", cursor: "2.0.0:", versions: "1.0.0 a, 2.0.0 b" },
    // The original does not ask for the older version's digest any more, and so does not find latest's among them.
    "latest comes last again where it points to what came before the cursor": {
      tags: "1:a 2:b latest:b 3:c",
      cursor: "3:c",
      versions: "3 c, latest b",
    },
  };

  test.each(Object.entries(examples))("%s", (_, { source = {}, tags, cursor, versions }) => {
    const registry = tags
      .split(" ")
      .filter(Boolean)
      .map((entry) => entry.split(":"));
    const [tag, name] = cursor?.split(":") ?? [];
    const given = cursor === undefined ? {} : { cursor: { tag, digest: name === "" ? "" : digest(name) } };
    const answer = check(source, registry, given);
    expect(answer.versions.join(", ")).toBe(versions);

    // Every tag is among the versions, or rejected with a reason.
    const named = [
      ...answer.versions.map((version) => version.split(" ")[0]),
      ...answer.rejected.map(({ candidate }) => candidate),
    ];
    expect(named.sort()).toEqual([...new Set(registry.map(([listed = ""]) => listed))].sort());
    expect(answer.rejected.every(({ reason }) => reason.length > 0)).toBe(true);
  });

  test("are asked for their digests all at once", () => {
    const { asked } = check({}, { "1.0.0": "a", nightly: "x", "2.0.0": "b", latest: "b" });
    expect(asked).toEqual(["tags", "digest of 1.0.0, 2.0.0, latest"]);
  });

  test("are asked for after the cursor, so that older ones need not be", () => {
    const registry = { "1.0.0": "a", "1.2.0": "b", "2.0.0": "c", latest: "c" };
    expect(check({}, registry, { cursor: { tag: "1.2.0", digest: digest("b") } }).asked).toEqual([
      "tags",
      "digest of 1.2.0",
      "digest of 2.0.0, latest",
    ]);
    expect(check({}, registry, { cursor: { tag: "1.2.0", digest: digest("x") } }).asked).toEqual([
      "tags",
      "digest of 1.2.0",
      "digest of 1.0.0, 2.0.0, latest",
    ]);
  });

  test("are asked for all at once where the cursor has no digest", () => {
    const { asked } = check({}, { "1.0": "a", "2.0": "b" }, { cursor: { tag: "2.0", digest: "" } });
    expect(asked).toEqual(["tags", "digest of 2.0, 1.0"]);
  });

  test("are not asked for latest where a constraint leaves it out anyway", () => {
    expect(check({ semver_constraint: "*" }, { latest: "a", "1": "b" }).asked).toEqual(["tags", "digest of 1"]);
  });

  test("say of each tag that is not taken why", () => {
    const { rejected } = check(
      { variant: "alpine", semver_constraint: ">=1.0.0-0", pre_releases: true },
      {
        latest: "a",
        alpine: "b",
        "x-alpine": "c",
        "0.9-alpine": "d",
        "1.0-slim-alpine": "e",
        "1.0-rc-1-alpine": "f",
        "1.1-alpine": "g",
        "1.1.0-alpine": "g",
        "1.0-alpine": "h",
      },
      { cursor: { tag: "1.0-alpine", digest: digest("h") } },
    );
    expect(rejected).toEqual([
      { candidate: "latest", reason: "it is not of the variant: it does not end with -alpine" },
      { candidate: "alpine", reason: "semver_constraint is set, and it is not a version" },
      { candidate: "x-alpine", reason: "it is not a version" },
      { candidate: "0.9-alpine", reason: "semver_constraint does not allow it" },
      {
        candidate: "1.0-slim-alpine",
        reason: "it is of another variant: no pre-release begins with any of alpha, beta, rc",
      },
      { candidate: "1.0-rc-1-alpine", reason: "it is of another variant: it has a dash more" },
      { candidate: "1.1-alpine", reason: "it has the same digest as 1.1.0-alpine, which says more" },
    ]);
  });
});

describe("tags that match a pattern", () => {
  const source = { tag_regex: "^gr[ae]y" };

  test("are all versions, in the registry's order, whatever their digests", () => {
    expect(check(source, { grey: "a", "1.0.0": "b", gray: "c", "grey-2": "a", latest: "d" }).versions).toEqual([
      "grey a",
      "gray c",
      "grey-2 a",
    ]);
  });

  test("are none where nothing matches, or nothing is there", () => {
    expect(check(source, { "1.0.0": "b", latest: "d" }).versions).toEqual([]);
    expect(check(source, {}).versions).toEqual([]);
    expect(check(source, [["grey"]]).versions).toEqual([]);
  });

  test("have no cursor", () => {
    const registry = { grey: "a", gray: "b" };
    expect(check(source, registry, { cursor: { tag: "gray", digest: digest("b") } })).toEqual(check(source, registry));
  });

  test("come as often as the registry lists them", () => {
    const { versions, asked } = check(source, [
      ["grey", "a"],
      ["grey", "a"],
    ]);
    expect(versions).toEqual(["grey a", "grey a"]);
    expect(asked).toEqual(["tags", "digest of grey"]);
  });

  test("are asked for at once, and what is no tag is not asked for", () => {
    const { asked, rejected } = check({ tag_regex: "." }, [["b", "a"], ["../x", "b"], ["a", "c"], ["gone"]]);
    expect(asked).toEqual(["tags", "digest of b, a, gone"]);
    expect(rejected).toEqual([
      { candidate: "../x", reason: "no tag is written like this" },
      { candidate: "gone", reason: "the registry lists it, and has no such tag" },
    ]);
  });

  describe("sorted by creation", () => {
    const sorted = { tag_regex: ".", created_at_sort: true };

    test("come oldest first, to the nanosecond, and those without a time before all others", () => {
      const created = {
        a: "2026-01-01T00:00:00.000000002Z",
        b: "2026-01-01T01:00:00.000000001+01:00",
        c: undefined,
        d: "1970-01-01T00:00:00Z",
      };
      const { versions, asked } = check(sorted, { w: "a", x: "b", y: "c", z: "d", z2: "a" }, { created });
      expect(versions).toEqual(["y c", "z d", "x b", "w a", "z2 a"]);
      expect(asked).toEqual(["tags", "digest of w, x, y, z, z2", "created of a, b, c, d"]);
    });

    test("fail where an image's time is none, by the tag's name", () => {
      const rule = versionRule(sorted);
      if (!rule.ok) throw rule.error;
      const step = nextCheckStep(rule.rule, {
        facts: {
          tags: ["main"],
          digests: new Map([["main", digest("a")]]),
          present: new Map(),
          created: new Map([[digest("a"), "yesterday"]]),
        },
      });
      expect(step).toMatchObject({ next: "fail", error: { code: "FI_REGISTRY_PROTOCOL" } });
      expect(step.next === "fail" && step.error.message).toContain(`the image of tag main`);
      expect(step.next === "fail" && step.error.message).toContain(`"yesterday"`);
    });
  });
});

test("what is known already is not asked for", () => {
  const rule = versionRule({});
  if (!rule.ok) throw rule.error;
  const facts = { tags: ["1", "2", "3"], present: new Map(), created: new Map() };
  const digests = new Map<string, Digest | "absent">([
    ["1", digest("a")],
    ["3", "absent"],
  ]);
  expect(nextCheckStep(rule.rule, { facts: { ...facts, digests } })).toEqual({ next: "resolve-tags", tags: ["2"] });
  digests.set("2", digest("b"));
  expect(nextCheckStep(rule.rule, { facts: { ...facts, digests } })).toMatchObject({
    next: "answer",
    versions: [
      { tag: "1", digest: digest("a") },
      { tag: "2", digest: digest("b") },
    ],
  });
});

interface Answer {
  /** `tag name`, where the name stands for a digest. */
  readonly versions: readonly string[];
  readonly rejected: Extract<CheckStep, { next: "answer" }>["rejected"];
  readonly asked: readonly string[];
}

/** Plays the registry until there is an answer. Tags point to digests by their names; one without is listed only. */
function check(
  source: VersionSource,
  registry: { readonly [tag: string]: string } | readonly (readonly string[])[],
  {
    cursor,
    kept = [],
    created = {},
  }: {
    readonly cursor?: VersionCursor;
    readonly kept?: readonly string[];
    readonly created?: { readonly [name: string]: string | undefined };
  } = {},
): Answer {
  const parsed = versionRule(source);
  if (!parsed.ok) throw parsed.error;
  const listed = Array.isArray(registry) ? registry : Object.entries(registry);
  const pointsTo = new Map<string, string>(listed.flatMap(([tag, name]) => (name === undefined ? [] : [[tag, name]])));
  const facts = {
    digests: new Map<string, Digest | "absent">(),
    present: new Map<Digest, boolean>(),
    created: new Map<Digest, string | undefined>(),
  };
  let tags: string[] | undefined;
  const asked: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    const step = nextCheckStep(parsed.rule, { cursor, facts: { ...facts, ...(tags === undefined ? {} : { tags }) } });
    switch (step.next) {
      case "list-tags":
        asked.push("tags");
        tags = listed.map(([tag = ""]) => tag);
        break;
      case "resolve-tags":
        asked.push(`digest of ${step.tags.join(", ")}`);
        for (const tag of step.tags) {
          const name = pointsTo.get(tag);
          facts.digests.set(tag, name === undefined ? "absent" : digest(name));
        }
        break;
      case "probe-digest":
        asked.push(`presence of ${nameOf(step.digest)}`);
        facts.present.set(step.digest, kept.includes(nameOf(step.digest)));
        break;
      case "read-created":
        asked.push(`created of ${step.digests.map(nameOf).join(", ")}`);
        for (const of of step.digests) facts.created.set(of, created[nameOf(of)]);
        break;
      case "fail":
        throw step.error;
      case "answer":
        return {
          versions: step.versions.map(({ tag, digest }) => `${tag} ${nameOf(digest)}`),
          rejected: step.rejected,
          asked,
        };
    }
  }
  throw new Error(`no answer after ${asked.join("; ")}`);
}

/** A digest for a letter, told from others by its code. */
function digest(name = ""): Digest {
  return `sha256:${name.charCodeAt(0).toString(16).padStart(64, "0")}`;
}

function nameOf(digest: Digest): string {
  return String.fromCharCode(Number.parseInt(digest.slice(-8), 16));
}
