import { compareSemanticVersions, type SemanticVersion } from "./semver.ts";

/** `=>`, `=<`, `~>` and none are read as `>=`, `<=`, `~` and `=`. */
export type Operator = "=" | "!=" | ">" | ">=" | "<" | "<=" | "~" | "^";

/** One condition of a constraint: `>= 1.2`. */
export interface Comparator {
  readonly operator: Operator;
  /** What it compares with; numbers that are not given or a wildcard are 0. */
  readonly version: SemanticVersion;
  /** The last number that is given: none of `*`, the major of `1.x`, the minor of `1.2`, the patch of `1.2.3`. */
  readonly precision: "none" | "major" | "minor" | "patch";
  /** The version as it was written: `1.2`. */
  readonly text: string;
}

/**
 * Whether the version fulfils the condition by its place in the order; whether pre-releases are wanted at all is a
 * question to the whole constraint. The cases are those of Masterminds/semver 3.5.0, constraints.go: VERSION-RULES.md
 * has them as a table, with the ones that surprise.
 */
export function fulfils(version: SemanticVersion, comparator: Comparator): boolean {
  return checks[comparator.operator](version, comparator);
}

const checks: { readonly [Sign in Operator]: (version: SemanticVersion, comparator: Comparator) => boolean } = {
  "=": (version, comparator) =>
    comparator.precision === "patch"
      ? compareSemanticVersions(version, comparator.version) === 0
      : isNear(version, comparator),
  "!=": differs,
  ">": isOver,
  ">=": (version, { version: bound }) => compareSemanticVersions(version, bound) >= 0,
  "<": (version, { version: bound }) => compareSemanticVersions(version, bound) < 0,
  "<=": isUpTo,
  "~": isNear,
  "^": isCompatible,
};

/** `>`: past everything that the bound, as far as it is given, can stand for. */
function isOver(version: SemanticVersion, { version: bound, precision }: Comparator): boolean {
  if (precision === "major") return version.major > bound.major;
  if (precision === "minor") return compareNumbers(version, bound) > 0;
  return compareSemanticVersions(version, bound) > 0;
}

/** `<=`: up to everything that the bound, as far as it is given, can stand for; `<= *` is up to 0.0. */
function isUpTo(version: SemanticVersion, { version: bound, precision }: Comparator): boolean {
  if (precision === "patch") return compareSemanticVersions(version, bound) <= 0;
  if (precision === "major") return version.major <= bound.major;
  return compareNumbers(version, bound) <= 0;
}

/** `~`: at least the bound, and the numbers up to the minor are the same, as far as they are given. */
function isNear(version: SemanticVersion, { version: bound, precision }: Comparator): boolean {
  if (compareSemanticVersions(version, bound) < 0) return false;
  if (precision === "none") return true;
  // `~0.0.0` means "anything" in the original, and `~0.0.0-rc` anything from there on.
  if (precision === "patch" && bound.major === 0n && bound.minor === 0n && bound.patch === 0n) return true;
  return version.major === bound.major && (precision === "major" || version.minor === bound.minor);
}

/** `^`: at least the bound, and the first number that is not 0 is the same. */
function isCompatible(version: SemanticVersion, { version: bound, precision }: Comparator): boolean {
  if (compareSemanticVersions(version, bound) < 0 || version.major !== bound.major) return false;
  if (bound.major > 0n || precision === "major") return true;
  if (version.minor !== bound.minor) return false;
  // `^*` gets here, with 0.0.0 as its bound: it means 0.0.0 alone, not "anything".
  return bound.minor > 0n || precision === "minor" || version.patch === bound.patch;
}

function differs(version: SemanticVersion, { version: bound, precision }: Comparator): boolean {
  if (precision === "major") return version.major !== bound.major;
  if (precision === "minor") return compareNumbers(version, bound) !== 0 || version.preRelease !== bound.preRelease;
  return compareSemanticVersions(version, bound) !== 0;
}

/** By major and minor alone. */
function compareNumbers(a: SemanticVersion, b: SemanticVersion): -1 | 0 | 1 {
  if (a.major !== b.major) return a.major < b.major ? -1 : 1;
  if (a.minor !== b.minor) return a.minor < b.minor ? -1 : 1;
  return 0;
}
