/**
 * A version as the registry-image resource reads it from a tag: semver.org's, and looser (VERSION-RULES.md). `1` and
 * `1.2` are `1.0.0` and `1.2.0`; a `v` may stand before it, zeros before a number.
 */
export interface SemanticVersion {
  /** As it was written. */
  readonly text: string;
  /** Up to 2^64 - 1, as the other two numbers. */
  readonly major: bigint;
  readonly minor: bigint;
  readonly patch: bigint;
  /** `rc.1` of `1.0.0-rc.1`; empty for a final version. */
  readonly preRelease: string;
  /** `build.5` of `1.0.0+build.5`; says nothing about the order. Tags cannot have it. */
  readonly metadata: string;
}

/** `problem` is a clause: "the pre-release has a number with a leading zero". It quotes nothing of the text. */
export type ParsedSemanticVersion =
  { readonly ok: true; readonly version: SemanticVersion } | { readonly ok: false; readonly problem: string };

/** Longer texts are no versions (Masterminds/semver 3.5.0, `MaxVersionLen`). */
const longestVersion = 256;
const largestNumber = 2n ** 64n - 1n;

const identifiers = String.raw`[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*`;
const grammar = new RegExp(
  String.raw`^v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-(${identifiers}))?(?:\+(${identifiers}))?$`,
);

/**
 * Reads a version as `semver.NewVersion` of Masterminds/semver 3.5.0 does, which is what the registry-image resource
 * asks whether a tag is a version. Never throws; looks at no more than 256 characters.
 */
export function parseSemanticVersion(text: string): ParsedSemanticVersion {
  if (text === "") return no("it is empty");
  if (text.length > longestVersion) {
    return no(`it has ${text.length} characters, and no version has more than ${longestVersion}`);
  }
  const parts = grammar.exec(text);
  if (parts === null) return no("it is not of the form 1, 1.2 or 1.2.3, with -pre-release and +metadata or without");
  const [, major = "", minor = "0", patch = "0", preRelease = "", metadata = ""] = parts;
  const version = {
    text,
    major: BigInt(major),
    minor: BigInt(minor),
    patch: BigInt(patch),
    preRelease,
    metadata,
  };
  if (version.major > largestNumber || version.minor > largestNumber || version.patch > largestNumber) {
    return no(`it has a number over ${largestNumber}`);
  }
  if (preRelease.split(".").some((identifier) => /^0[0-9]+$/.test(identifier))) {
    return no("its pre-release has a number with a leading zero");
  }
  return { ok: true, version };
}

/**
 * Whether `a` comes before (-1) or after (1) `b`; 0 where neither does, which does not make them the same text: `1`,
 * `v1.0` and `1.0.0+x` are equals. Pre-releases come before their final version, in semver.org's order.
 */
export function compareSemanticVersions(a: SemanticVersion, b: SemanticVersion): -1 | 0 | 1 {
  if (a.major !== b.major) return a.major < b.major ? -1 : 1;
  if (a.minor !== b.minor) return a.minor < b.minor ? -1 : 1;
  if (a.patch !== b.patch) return a.patch < b.patch ? -1 : 1;
  return comparePreReleases(a.preRelease, b.preRelease);
}

/** The version in full, `1.2.0-rc.1+x` for `v1.2-rc.1+x`: equals without metadata have one form. */
export function formatSemanticVersion({ major, minor, patch, preRelease, metadata }: SemanticVersion): string {
  const numbers = `${major}.${minor}.${patch}`;
  return `${numbers}${preRelease === "" ? "" : `-${preRelease}`}${metadata === "" ? "" : `+${metadata}`}`;
}

function comparePreReleases(a: string, b: string): -1 | 0 | 1 {
  if (a === b) return 0;
  if (a === "") return 1;
  if (b === "") return -1;
  const [as, bs] = [a.split("."), b.split(".")];
  const shorter = Math.min(as.length, bs.length);
  for (let at = 0; at < shorter; at += 1) {
    const order = compareIdentifiers(as[at] ?? "", bs[at] ?? "");
    if (order !== 0) return order;
  }
  return as.length < bs.length ? -1 : 1;
}

/** Numbers by value and before words; words by their characters' codes. */
function compareIdentifiers(a: string, b: string): -1 | 0 | 1 {
  if (a === b) return 0;
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x < y ? -1 : 1;
  if (x !== undefined) return -1;
  if (y !== undefined) return 1;
  return a < b ? -1 : 1;
}

/** Digits that make a number over 2^64 - 1 are a word, as in the original. */
function numberOf(identifier: string): bigint | undefined {
  if (!/^[0-9]+$/.test(identifier)) return undefined;
  const value = BigInt(identifier);
  return value > largestNumber ? undefined : value;
}

function no(problem: string): ParsedSemanticVersion {
  return { ok: false, problem };
}
