import type { Digest, VersionCursor, VersionSource } from "@fetch-image/core";
import * as fc from "fast-check";

/** A repository: its tags in the registry's order, with the number of the digest each points to; none where it is gone. */
export type Repository = readonly (readonly [tag: string, digest: number | undefined])[];

export function digestOf(number: number): Digest;
export function digestOf(number: number | undefined): Digest | "absent";
export function digestOf(number: number | undefined): Digest | "absent" {
  return number === undefined ? "absent" : `sha256:${String(number).padStart(64, "0")}`;
}

/** Tags of which many are each other's aliases, and share a few digests; each is listed once. */
export function repository(): fc.Arbitrary<Repository> {
  const digest = fc.oneof(
    { weight: 12, arbitrary: fc.nat(9) },
    { weight: 4, arbitrary: fc.nat(40) },
    fc.constant(undefined),
  );
  return fc.uniqueArray(fc.tuple(tag(), digest), { selector: ([tag]) => tag, maxLength: 60 });
}

function tag(): fc.Arbitrary<string> {
  const number = fc.constantFrom("0", "1", "2");
  const numbers = fc.array(number, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("."));
  const word = fc.constantFrom("", "", "", "-alpha", "-rc.1", "-rc1", "-beta-2", "-dev.1", "-0", "-01");
  const semver = fc
    .tuple(fc.constantFrom("", "", "v"), numbers, word, fc.constantFrom("", "", "-foo"))
    .map((parts) => parts.join(""));
  return fc.oneof(
    { weight: 8, arbitrary: semver },
    { weight: 2, arbitrary: fc.constantFrom("latest", "foo") },
    fc.constantFrom("main", "2024.01.02", "1.2.3.4", "V1", "no tag!"),
  );
}

export function cursor(): fc.Arbitrary<VersionCursor | undefined> {
  const digest = fc.oneof(
    fc.nat(9).map((number) => digestOf(number)),
    fc.constantFrom(undefined, ""),
  );
  return fc.option(fc.record({ tag: fc.oneof({ weight: 9, arbitrary: tag() }, fc.constant(undefined)), digest }), {
    nil: undefined,
  });
}

export function semverSource(): fc.Arbitrary<VersionSource> {
  return fc.record(
    {
      variant: fc.constant("foo"),
      semver_constraint: fc.constantFrom("*", ">=1", "~1.2", ">=0.0.0-0", "1 - 2"),
      pre_releases: fc.boolean(),
      pre_release_prefixes: fc.constantFrom<readonly string[]>([], ["dev"], [""]),
    },
    { requiredKeys: [] },
  );
}

export function source(): fc.Arbitrary<VersionSource> {
  return fc.oneof(
    { weight: 5, arbitrary: semverSource() },
    { weight: 1, arbitrary: fc.record({ tag: tag() }) },
    {
      weight: 3,
      arbitrary: fc.record({ tag_regex: fc.constantFrom("^1", ".", "foo$"), created_at_sort: fc.boolean() }),
    },
  );
}
