/** A constraint with its ranges written out, and where each of its characters came from in what the user wrote. */
export interface WrittenOut {
  readonly text: string;
  readonly origins: readonly number[];
}

/** Go's `\s`, which knows fewer blanks than JavaScript's. */
const blank = String.raw`[\t\n\f\r ]`;
/** The original takes bars for digits here. It matters where a range stands next to `||`. */
const number = "[0-9xX*|]+";
const identifiers = String.raw`[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*`;
const version = String.raw`v?${number}(?:\.${number}){0,2}(?:-${identifiers})?(?:\+${identifiers})?`;

/** Blanks from `lastIndex` on, or none. */
export const space: RegExp = new RegExp(`${blank}*`, "y");

/** The version of a condition, at `lastIndex`: up to three numbers, wildcards among them. Groups: `text` and its parts. */
export const comparatorVersion: RegExp = new RegExp(
  String.raw`(?<text>v?(?<major>${number})(?:\.(?<minor>${number}))?(?:\.(?<patch>${number}))?` +
    String.raw`(?<preRelease>-${identifiers})?(?:\+${identifiers})?)`,
  "y",
);

const range = new RegExp(
  String.raw`(?<before>${blank}*)(?<from>${version})${blank}+-${blank}+(?<to>${version})${blank}*`,
  "g",
);

/**
 * Writes each `1.2 - 3` as `>= 1.2, <= 3 `, before anything else is read, as Masterminds/semver 3.5.0 does
 * (constraints.go, `rewriteRange`). Blanks before the range are swallowed, so that `>1 2 - 3` becomes `>1>= 2, <= 3 `,
 * which is refused: a range that follows a condition needs a comma before it.
 */
export function writeOutRanges(text: string): WrittenOut {
  let written: WrittenOut = { text, origins: Array.from({ length: text.length }, (_, at) => at) };
  for (const { 0: found, groups = {} } of text.matchAll(range)) {
    const { before = "", from = "", to = "" } = groups;
    written = replaceFirst(written, found, { by: `>= ${from}, <= ${to} `, blanks: before.length });
  }
  return written;
}

/** The first place that reads like the range, not the one where it was found: so the original has it. */
function replaceFirst(
  { text, origins }: WrittenOut,
  found: string,
  { by, blanks }: { readonly by: string; readonly blanks: number },
): WrittenOut {
  const at = text.indexOf(found);
  const origin = origins[at + blanks] ?? 0;
  return {
    text: text.slice(0, at) + by + text.slice(at + found.length),
    origins: [...origins.slice(0, at), ...Array.from(by, () => origin), ...origins.slice(at + found.length)],
  };
}
