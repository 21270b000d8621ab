import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { JsonObject } from "../json.ts";
import type { Problem } from "./yaml-tree.ts";

/** Something that a pipeline's author should know, and where. */
export interface PipelineWarning {
  readonly file: string;
  /** Counted from 1; a column counts UTF-16 units. */
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
}

export interface Source {
  readonly file: string;
  readonly lineStarts: readonly number[];
}

const mostShown = 20;

/** One error for all that is wrong with a file: the first problem leads, `details.problems` has the first twenty. */
export function pipelineError(problems: readonly Problem[], source: Source): FetchImageError {
  const sorted = problems.toSorted((a, b) => a.at - b.at);
  const [first = { at: 0, path: "", says: "is not valid" }] = sorted;
  const { file, line, column, path } = placeOf(first, source);
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  const { hint } = first;
  return new FetchImageError(sorted.find(({ code }) => code !== undefined)?.code ?? "FI_PIPELINE_INVALID", {
    message: `${inWords(first, source)}${more}`,
    ...(hint === undefined ? {} : { hint }),
    details: {
      file,
      line,
      column,
      path,
      problems: sorted.slice(0, mostShown).map((problem): JsonObject => {
        const place = placeOf(problem, source);
        return { ...place, message: problem.says, ...(problem.hint === undefined ? {} : { hint: problem.hint }) };
      }),
    },
  });
}

export function pipelineWarnings(problems: readonly Problem[], source: Source): readonly PipelineWarning[] {
  return problems
    .toSorted((a, b) => a.at - b.at)
    .map((problem) => ({ ...placeOf(problem, source), message: problem.says }));
}

/** `ci.yml:12:7` */
export function formatPlace(at: number, source: Source): string {
  const { file, line, column } = placeOf({ at, path: "" }, source);
  return `${file}:${line}:${column}`;
}

/** The offsets at which the text's lines begin. */
export function lineStartsOf(text: string): readonly number[] {
  const starts = [0];
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1)) starts.push(end + 1);
  return starts;
}

function inWords(problem: Problem, source: Source): string {
  return [formatPlace(problem.at, source), problem.path, problem.says].filter((part) => part !== "").join(": ");
}

function placeOf(
  { at, path }: Pick<Problem, "at" | "path">,
  { file, lineStarts }: Source,
): { readonly file: string; readonly line: number; readonly column: number; readonly path: string } {
  let [low, high] = [0, lineStarts.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((lineStarts[middle] ?? 0) <= at) low = middle;
    else high = middle - 1;
  }
  return { file, line: low + 1, column: at - (lineStarts[low] ?? 0) + 1, path };
}
