import type { FetchImageError } from "../errors/fetch-image-error.ts";
import { showText } from "../image/show-text.ts";
import { checkNames, defaultBaseTypes } from "./check-names.ts";
import { DecodeContext } from "./decoder.ts";
import { decodePipeline } from "./decode-pipeline.ts";
import { varUses } from "./interpolate.ts";
import { parseYaml } from "./parse-yaml.ts";
import { declaration, type Pipeline } from "./pipeline.ts";
import { lineStartsOf, pipelineError, pipelineWarnings, type PipelineWarning, type Source } from "./pipeline-error.ts";
import { formatVarReference, parseVarReference } from "./var-reference.ts";
import type { Problem, YamlNode } from "./yaml-tree.ts";

export interface ParsePipelineOptions {
  /** What messages call the file. */
  readonly file: string;
  /** The resource types that the deployment brings along, where they are not Concourse's own. */
  readonly baseTypes?: readonly string[];
}

export type ParsedPipeline =
  | { readonly ok: true; readonly pipeline: Pipeline; readonly warnings: readonly PipelineWarning[] }
  | { readonly ok: false; readonly error: FetchImageError };

/**
 * Reads a Concourse pipeline and checks it: malformed YAML, unknown fields and step kinds, missing and unknown names
 * (`FI_PIPELINE_INVALID`), resource types that rest on themselves (`FI_RESOURCE_TYPE_CYCLE`), each with `file:line:column`.
 * A `((var))` may stand anywhere. Never throws, whatever the text.
 */
export function parsePipeline(text: string, options: ParsePipelineOptions): ParsedPipeline {
  const source = { file: options.file, lineStarts: lineStartsOf(text) };
  const parsed = parseYaml(text);
  if ("problems" in parsed) return { ok: false, error: pipelineError(parsed.problems, source) };
  const read = readPipeline(parsed.root, { ...source, baseTypes: options.baseTypes ?? defaultBaseTypes });
  if ("problems" in read) return { ok: false, error: pipelineError(read.problems, source) };
  return {
    ok: true,
    pipeline: read.pipeline,
    warnings: pipelineWarnings([...parsed.warnings, ...read.warnings], source),
  };
}

/** The pipeline that a tree declares, or what is wrong with it. */
export function readPipeline(
  root: YamlNode,
  { file, lineStarts, baseTypes }: Source & { readonly baseTypes: readonly string[] },
): { readonly pipeline: Pipeline; readonly warnings: readonly Problem[] } | { readonly problems: readonly Problem[] } {
  const context = new DecodeContext();
  const decoded = decodePipeline(root, context);
  checkNames(decoded, baseTypes, context);
  const unresolved = new Set<string>();
  for (const { name, at } of varUses(root)) {
    const reference = parseVarReference(name);
    if (reference === undefined) context.problem({ at }, "", `${showText(`((${name}))`)} is not the name of a var`);
    else if (reference.source !== ".") unresolved.add(formatVarReference(reference));
  }
  if (context.problems.length > 0) return { problems: context.problems };
  const { deferred } = context;
  const pipeline = {
    file,
    ...decoded,
    unresolved: [...unresolved].toSorted(),
    [declaration]: { root, lineStarts, baseTypes, deferred },
  };
  return { pipeline, warnings: context.warnings };
}
