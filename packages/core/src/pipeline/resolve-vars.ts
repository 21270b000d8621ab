import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { JsonObject } from "../json.ts";
import { nameOf } from "./decode-pipeline.ts";
import type { Owner } from "./decoder.ts";
import { interpolate, varUses } from "./interpolate.ts";
import { neededBy } from "./needed-by.ts";
import { readPipeline } from "./parse-pipeline.ts";
import { jobUnknown } from "./job-unknown.ts";
import { declaration, type Pipeline } from "./pipeline.ts";
import { formatPlace, pipelineError, pipelineWarnings, type PipelineWarning, type Source } from "./pipeline-error.ts";
import { secretCutter, secretsOfDeclaration, secretsOfValue } from "./pipeline-secrets.ts";
import { formatVarReference, parseVarReference, type VarReference } from "./var-reference.ts";
import { askVarSources, givenValue, type VarSource } from "./var-values.ts";
import { field, type Problem, type YamlNode } from "./yaml-tree.ts";

export interface ResolveVarsOptions {
  /** What the user gives: flags first, then files, the last file first. The first that has a var wins. */
  readonly values?: readonly JsonObject[];
  /** Asked for what the values do not have, and for `((source:…))`. `dummy` var sources need none. */
  readonly source?: VarSource;
  /** Only this job is to run: vars of other jobs, and of what only they use, may be missing and are not asked for. */
  readonly job?: string;
}

export type ResolvedVars =
  | {
      readonly ok: true;
      readonly pipeline: Pipeline;
      /**
       * Every text that must be cut from whatever is printed, longest first: what var sources gave, and what stands in
       * a field for credentials, whoever gave it.
       */
      readonly secrets: readonly string[];
      readonly warnings: readonly PipelineWarning[];
    }
  | { readonly ok: false; readonly error: FetchImageError };

/**
 * The pipeline with values in the place of its vars, checked anew. `((.:var))`s have values only while the build runs
 * and stay. All vars without a value are reported together (`FI_VAR_MISSING`), with the place of each. Never rejects.
 */
export async function resolveVars(pipeline: Pipeline, options: ResolveVarsOptions = {}): Promise<ResolvedVars> {
  const { root: written, lineStarts, baseTypes } = pipeline[declaration];
  const source = { file: pipeline.file, lineStarts };
  const values = options.values ?? [];
  const given = interpolate(written, (reference) => givenValue(reference, values));
  if (given.problems.length > 0) return { ok: false, error: pipelineError(given.problems, source) };
  const provisional = readPipeline(given.root, { ...source, baseTypes });
  if ("problems" in provisional) return invalid(provisional.problems, source, secretsOfDeclaration(given.root));
  const { job } = options;
  if (job !== undefined && !knowsJob(provisional.pipeline, job)) return { ok: false, error: jobUnknown(pipeline, job) };

  const wanted = wantedVars(given.root, neededParts(provisional.pipeline, job));
  const lookups = new Map(wanted.map(({ reference }) => [formatVarReference(reference), reference]));
  const answers = await askVarSources([...lookups.values()], provisional.pipeline.varSources, options.source);
  if ("error" in answers) return { ok: false, error: answers.error };
  const { found } = answers;
  const missing = wanted.filter(({ reference }) => !found.has(formatVarReference(reference)));
  if (missing.length > 0) return { ok: false, error: varsMissing(missing, provisional.pipeline, source) };

  const complete = interpolate(given.root, (reference) => found.get(formatVarReference(reference)));
  const ofSources = [...found.values()].flatMap(secretsOfValue);
  const secrets = [...new Set([...ofSources, ...secretsOfDeclaration(complete.root)])].toSorted(
    (a, b) => b.length - a.length,
  );
  const read = complete.problems.length > 0 ? complete : readPipeline(complete.root, { ...source, baseTypes });
  if ("problems" in read) return invalid(read.problems, source, secrets);
  const warnings = pipelineWarnings(withoutSecrets(read.warnings, secrets), source);
  return { ok: true, pipeline: read.pipeline, secrets, warnings };
}

interface WantedVar {
  readonly reference: VarReference;
  readonly at: number;
}

function wantedVars(root: YamlNode, parts: (owner: Owner) => boolean): readonly WantedVar[] {
  return (["jobs", "resources", "resource_types"] as const).flatMap((section) => {
    const node = field(root, section);
    if (node === undefined) return [];
    const items = node.kind === "list" ? node.items : [node];
    return items
      .filter((item) => {
        const name = nameOf(item);
        return name === undefined || parts({ section, name });
      })
      .flatMap((item) => varUses(item))
      .flatMap(({ name, at }) => {
        const reference = parseVarReference(name);
        return reference === undefined || reference.source === "." ? [] : [{ reference, at }];
      });
  });
}

/** Everything, where a list or a name that waits for a var hides what belongs to the job. */
function neededParts(pipeline: Pipeline, job: string | undefined): (owner: Owner) => boolean {
  const hidden = pipeline[declaration].deferred.some(({ structural }) => structural);
  return job === undefined || hidden ? () => true : neededBy(pipeline, job);
}

function knowsJob(pipeline: Pipeline, job: string): boolean {
  const hidden = pipeline[declaration].deferred.some(({ structural, owner }) => structural && owner === undefined);
  return hidden || pipeline.jobs.some(({ name }) => name === job || name.includes("(("));
}

function varsMissing(missing: readonly WantedVar[], pipeline: Pipeline, source: Source): FetchImageError {
  const first = new Map<string, WantedVar>();
  for (const one of missing) {
    const name = formatVarReference(one.reference);
    if (!first.has(name)) first.set(name, one);
  }
  const names = [...first.keys()].toSorted();
  const listed = names.map((name) => `((${name}))`).join(", ");
  const places = names.map((name) => ({ name, place: formatPlace(first.get(name)?.at ?? 0, source) }));
  const undeclared = missing.find(
    ({ reference }) =>
      reference.source !== undefined && !pipeline.varSources.some(({ name }) => name === reference.source),
  );
  const hint =
    undeclared === undefined ? {} : { hint: `The pipeline declares no var source ${undeclared.reference.source}.` };
  return new FetchImageError("FI_VAR_MISSING", {
    message: `${places[0]?.place}: no value for ${listed}`,
    ...hint,
    details: { vars: names, places },
  });
}

function invalid(problems: readonly Problem[], source: Source, secrets: readonly string[]): ResolvedVars {
  return { ok: false, error: pipelineError(withoutSecrets(problems, secrets), source) };
}

/** A value may stand where a name is expected, and messages quote names. */
function withoutSecrets(problems: readonly Problem[], secrets: readonly string[]): readonly Problem[] {
  const cut = secretCutter(secrets);
  return problems.map((problem) => ({
    ...problem,
    path: cut(problem.path),
    says: cut(problem.says),
    ...(problem.hint === undefined ? {} : { hint: cut(problem.hint) }),
  }));
}
