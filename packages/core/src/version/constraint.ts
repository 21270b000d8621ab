import { FetchImageError } from "../errors/fetch-image-error.ts";
import { showCharacter } from "../image/show-text.ts";
import { type Comparator, fulfils, type Operator } from "./comparator.ts";
import { comparatorVersion, space, writeOutRanges } from "./constraint-text.ts";
import { parseSemanticVersion, type SemanticVersion } from "./semver.ts";

/** What a source's `semver_constraint` allows: versions that fulfil one of the alternatives. */
export interface VersionConstraint {
  /** As it was written. */
  readonly text: string;
  readonly alternatives: readonly ConstraintAlternative[];
}

/** Conditions that must all be fulfilled. */
export interface ConstraintAlternative {
  readonly comparators: readonly Comparator[];
  /** Whether pre-releases are let in: one condition that names a pre-release opens the alternative to all of them. */
  readonly preReleases: boolean;
}

export type ParsedVersionConstraint =
  | { readonly ok: true; readonly constraint: VersionConstraint }
  | { readonly ok: false; readonly error: FetchImageError };

/** More of either is refused (Masterminds/semver 3.5.0, `MaxConstraintLen` and `MaxConstraintGroups`). */
const longestConstraint = 512;
const mostAlternatives = 32;

/**
 * Reads a constraint by the grammar of Masterminds/semver 3.5.0 (VERSION-RULES.md), which is not npm's. Never throws;
 * looks at no more than 512 characters. The error (`FI_SOURCE_INVALID`) says what is wrong and at which character
 * (from 1, also in `details.position`).
 */
export function parseVersionConstraint(text: string): ParsedVersionConstraint {
  const read = readConstraint(text);
  return "problem" in read
    ? { ok: false, error: invalidConstraint(text, read) }
    : { ok: true, constraint: { text, alternatives: read } };
}

/** Whether the version may be chosen. Pre-releases only where an alternative names one. */
export function satisfiesConstraint(version: SemanticVersion, { alternatives }: VersionConstraint): boolean {
  return alternatives.some(
    ({ comparators, preReleases }) =>
      (version.preRelease === "" || preReleases) && comparators.every((comparator) => fulfils(version, comparator)),
  );
}

/** The constraint with its hyphen ranges written out and nothing else changed in meaning: `>=1 <=2 || ~3.1`. */
export function formatVersionConstraint({ alternatives }: VersionConstraint): string {
  return alternatives.map(({ comparators }) => comparators.map(formatComparator).join(" ")).join(" || ");
}

function formatComparator({ operator, text }: Comparator): string {
  return `${operator}${text}`;
}

interface Fault {
  /** At which UTF-16 unit of what the user wrote, from 0. */
  readonly at: number;
  readonly problem: string;
  readonly hint?: string;
}

function readConstraint(text: string): readonly ConstraintAlternative[] | Fault {
  if (text.length > longestConstraint) {
    const problem = `it has ${text.length} characters, and none has more than ${longestConstraint}`;
    return { at: longestConstraint, problem };
  }
  const written = writeOutRanges(text);
  const parts = written.text.split("||");
  if (parts.length > mostAlternatives) {
    return { at: 0, problem: `it has ${parts.length} alternatives, more than ${mostAlternatives}` };
  }
  const alternatives: ConstraintAlternative[] = [];
  let start = 0;
  for (const part of parts) {
    const read = readAlternative(part);
    if ("problem" in read) {
      const at = written.origins[start + read.at] ?? text.length;
      if (written.text === text) return { ...read, at };
      return { at, problem: `with its ranges written out, ${read.problem}`, hint: rangeHint };
    }
    alternatives.push(read);
    start += part.length + "||".length;
  }
  return alternatives;
}

const rangeHint = "A range such as 1.2 - 3 is read as >= 1.2, <= 3: put a comma before it, and blanks around ||.";

/** Conditions, each apart from the next by a comma or by spaces. Both mean "and". */
function readAlternative(part: string): ConstraintAlternative | Fault {
  const comparators: Comparator[] = [];
  let at = skip(space, part, 0);
  for (;;) {
    const read = readComparator(part, at);
    if ("problem" in read) return read;
    comparators.push(read.comparator);
    at = skip(space, part, read.end);
    if (at === part.length) break;
    if (part[at] === ",") at = skip(space, part, at + 1);
    else if (at === read.end) return unexpected(part, at);
  }
  return { comparators, preReleases: comparators.some(({ version }) => version.preRelease !== "") };
}

const operator = /[=<>!~^]*/y;

const operators: ReadonlyMap<string, Operator> = new Map([
  ["", "="],
  ["=", "="],
  ["!=", "!="],
  [">", ">"],
  ["<", "<"],
  [">=", ">="],
  ["=>", ">="],
  ["<=", "<="],
  ["=<", "<="],
  ["~", "~"],
  ["~>", "~"],
  ["^", "^"],
]);

function readComparator(part: string, start: number): { comparator: Comparator; end: number } | Fault {
  const sign = part.slice(start, skip(operator, part, start));
  const read = operators.get(sign);
  if (read === undefined) {
    const shown = sign.length > 3 ? `${sign.slice(0, 3)}…` : sign;
    return { at: start, problem: `"${shown}" is no operator`, hint: "Use one of = != > < >= <= ~ ^." };
  }
  const at = skip(space, part, start + sign.length);
  comparatorVersion.lastIndex = at;
  const found = comparatorVersion.exec(part)?.groups;
  if (found === undefined) return versionMissing(part, at);
  const { text = "", major = "", minor, patch, preRelease = "" } = found;
  const precision = precisionOf(major, minor, patch);
  // Where a number is missing or a wildcard, of what follows it the pre-release alone counts.
  const bounds = { none: "0.0.0", major: `${major}.0.0`, minor: `${major}.${minor}.0` };
  const version = parseSemanticVersion(precision === "patch" ? text : bounds[precision] + preRelease);
  if (!version.ok) return { at, problem: `a version is wrong: ${version.problem}` };
  return { comparator: { operator: read, version: version.version, precision, text }, end: at + text.length };
}

function precisionOf(major: string, minor: string | undefined, patch: string | undefined): Comparator["precision"] {
  if (isWildcard(major)) return "none";
  if (isWildcard(minor)) return "major";
  return isWildcard(patch) ? "minor" : "patch";
}

function isWildcard(number: string | undefined): boolean {
  return number === undefined || number === "x" || number === "X" || number === "*";
}

function skip(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return from + (pattern.exec(text)?.[0].length ?? 0);
}

function versionMissing(part: string, at: number): Fault {
  if (part.trim() === "") {
    return { at, problem: "an alternative is empty", hint: "Write * where every version is meant." };
  }
  if (at === part.length) return { at, problem: "a version is missing at its end" };
  return { at, problem: `a version is missing before ${showCharacter(characterAt(part, at))}` };
}

function unexpected(part: string, at: number): Fault {
  const character = showCharacter(characterAt(part, at));
  return {
    at,
    problem: `a version is followed by ${character}`,
    hint: "A version has at most three numbers; between two conditions stands a comma, a space or ||.",
  };
}

function characterAt(text: string, at: number): string {
  return String.fromCodePoint(text.codePointAt(at) ?? 0);
}

function invalidConstraint(text: string, { at, problem, hint }: Fault): FetchImageError {
  const variable = text.includes("((") ? "Its ((var)) has no value: give it one." : undefined;
  return new FetchImageError("FI_SOURCE_INVALID", {
    message: `source.semver_constraint is not a version constraint: ${problem} (at character ${at + 1})`,
    hint:
      variable ??
      hint ??
      "Write conditions such as `>= 1.2, < 3`, `~1.2`, `1.x` or `1.2 - 2.3`, and || between alternatives.",
    details: { field: "semver_constraint", position: at + 1 },
  });
}
