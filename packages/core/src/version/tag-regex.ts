import { RE2JS, RE2JSSyntaxException } from "re2js";
import { FetchImageError } from "../errors/fetch-image-error.ts";
import { showText } from "../image/show-text.ts";

/** A `tag_regex`, or another pattern of a source, compiled. */
export interface TagRegex {
  /** As it was written. */
  readonly text: string;
  /** Whether it matches anywhere in the text. Takes time in proportion to the text's length, whatever the pattern. */
  matches(text: string): boolean;
}

/** The fields of a source that hold a pattern. */
export type PatternField = "tag_regex" | "label_regex" | "annotation_regex";

export type CompiledTagRegex =
  { readonly ok: true; readonly regex: TagRegex } | { readonly ok: false; readonly error: FetchImageError };

/** In UTF-16 units. Longer ones can take a second to compile. */
const longestPattern = 4096;
/** In RE2 instructions, of which each may cost time for each character of each tag: `a{1000}` has 1002. */
const largestProgram = 2000;

/**
 * Compiles a pattern in RE2's syntax (golang.org/s/re2syntax), which has no look-around and no back references.
 * Never throws. The error is `FI_SOURCE_INVALID` where the pattern is none, and says where it breaks;
 * `FI_SOURCE_UNSUPPORTED` where it is larger than our own client will run over a whole list of tags.
 */
export function compileTagRegex(pattern: string, field: PatternField = "tag_regex"): CompiledTagRegex {
  if (pattern.length > longestPattern) {
    return tooLarge(field, `it has ${pattern.length} characters, more than ${longestPattern}`);
  }
  let program: RE2JS;
  try {
    program = RE2JS.compile(pattern);
  } catch (error) {
    return { ok: false, error: invalidPattern(field, error) };
  }
  const size = program.programSize();
  if (size > largestProgram) return tooLarge(field, `it needs ${size} instructions, more than ${largestProgram}`);
  return { ok: true, regex: { text: pattern, matches: (text) => program.test(text) } };
}

function invalidPattern(field: PatternField, error: unknown): FetchImageError {
  const what = error instanceof RE2JSSyntaxException ? syntaxProblem(error) : "it cannot be compiled";
  return new FetchImageError("FI_SOURCE_INVALID", {
    message: `source.${field} is not a regular expression: ${what}`,
    hint: "Write it in RE2's syntax (golang.org/s/re2syntax): it has no look-around and no back references.",
    details: { field },
  });
}

function syntaxProblem(error: RE2JSSyntaxException): string {
  const piece = error.getPattern();
  return piece === null ? error.getDescription() : `${error.getDescription()}: ${showText(piece)}`;
}

function tooLarge(field: PatternField, why: string): CompiledTagRegex {
  return {
    ok: false,
    error: new FetchImageError("FI_SOURCE_UNSUPPORTED", {
      message: `source.${field} is too large to be matched natively: ${why}`,
      hint: "Write it shorter, with smaller repetitions, or let a stepRunner run the check.",
      details: { field },
    }),
  };
}
