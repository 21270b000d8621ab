import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { JsonObject } from "../json.ts";
import { DecodeContext } from "../pipeline/decoder.ts";
import { interpolate, type VarLookup, varUses } from "../pipeline/interpolate.ts";
import { parseYaml } from "../pipeline/parse-yaml.ts";
import type { PipelineVarSource } from "../pipeline/pipeline.ts";
import { lineStartsOf, pipelineError } from "../pipeline/pipeline-error.ts";
import { secretsOfValue } from "../pipeline/pipeline-secrets.ts";
import { taskConfig } from "../pipeline/task-config.ts";
import { formatVarReference, parseVarReference } from "../pipeline/var-reference.ts";
import { askVarSources, givenValue, type VarSource } from "../pipeline/var-values.ts";
import { fromJson } from "../pipeline/yaml-tree.ts";
import { secretsOf } from "../source/secrets-of.ts";
import type { ImageResource } from "./plan.ts";

export interface TaskImageOptions {
  /** What messages call the file: its path among the artifacts. */
  readonly file?: string;
  /** The `vars` of the task step. */
  readonly vars?: JsonObject;
}

export interface TaskImage {
  /** As written: `taskImage` merges its type's defaults in. */
  readonly imageResource?: ImageResource;
  readonly rootfsUri?: string;
  /** The vars that the image still waits for. */
  readonly waitsFor: readonly string[];
}

type Failed = { readonly ok: false; readonly error: FetchImageError };

/**
 * The image that a task's config file asks for. Vars that are not among the step's stay in it.
 * Errors: `FI_PIPELINE_INVALID` with `file:line:column`. Never throws.
 */
export function taskImageFromConfig(
  text: string,
  options: TaskImageOptions = {},
): ({ readonly ok: true } & TaskImage) | Failed {
  return readImage(text, options, () => undefined);
}

export interface ResolveTaskImageOptions extends TaskImageOptions {
  /** As for `resolveVars`. */
  readonly values?: readonly JsonObject[];
  readonly source?: VarSource;
  readonly varSources?: readonly PipelineVarSource[];
}

/**
 * As `taskImageFromConfig`, with a value for every var of the image but those of run time (`.:`). Errors:
 * `FI_PIPELINE_INVALID`, `FI_VAR_MISSING` for all vars without a value together. Never rejects.
 */
export async function resolveTaskImage(
  text: string,
  options: ResolveTaskImageOptions = {},
): Promise<({ readonly ok: true; readonly secrets: readonly string[] } & TaskImage) | Failed> {
  const { values = [], varSources = [], file = unnamed } = options;
  const written = readImage(text, options, (reference) => givenValue(reference, values));
  if (!written.ok) return written;
  const references = written.waitsFor.map(parseVarReference).filter((reference) => reference !== undefined);
  const wanted = references.filter(({ source }) => source !== ".");
  const answers = await askVarSources(wanted, varSources, options.source);
  if ("error" in answers) return { ok: false, error: answers.error };
  const { found } = answers;
  const missing = wanted.map(formatVarReference).filter((name) => !found.has(name));
  if (missing.length > 0) {
    const message = `${file}: no value for ${missing.map((name) => `((${name}))`).join(", ")}`;
    return { ok: false, error: new FetchImageError("FI_VAR_MISSING", { message, details: { vars: missing } }) };
  }
  const image = readImage(
    text,
    options,
    (reference) => givenValue(reference, values) ?? found.get(formatVarReference(reference)),
  );
  if (!image.ok) return image;
  const secrets = [...[...found.values()].flatMap(secretsOfValue), ...secretsOf(image.imageResource?.source ?? {})];
  return { ...image, secrets: [...new Set(secrets)].toSorted((a, b) => b.length - a.length) };
}

const unnamed = "task config";

function readImage(
  text: string,
  { file = unnamed, vars = {} }: TaskImageOptions,
  lookup: VarLookup,
): ({ readonly ok: true } & TaskImage) | Failed {
  const source = { file, lineStarts: lineStartsOf(text) };
  const parsed = parseYaml(text);
  if ("problems" in parsed) return { ok: false, error: pipelineError(parsed.problems, source) };
  // The step's own vars come first, and may themselves be vars.
  const ofStep = interpolate(parsed.root, (reference) => givenValue(reference, [vars]));
  const { root, problems } = interpolate(ofStep.root, lookup);
  const context = new DecodeContext();
  const config = taskConfig(root, "", context);
  const wrong = [...ofStep.problems, ...problems, ...context.problems];
  if (wrong.length > 0) return { ok: false, error: pipelineError(wrong, source) };
  const { image_resource: imageResource, rootfs_uri: rootfsUri } = config ?? {};
  const image = {
    ...(imageResource === undefined ? {} : { imageResource }),
    ...(rootfsUri === undefined ? {} : { rootfsUri }),
  };
  const uses = varUses(fromJson(JSON.parse(JSON.stringify(image)), 0)).map(({ name }) => name);
  const deferred = context.deferred.filter(({ path }) => path.startsWith("image_resource")).flatMap((one) => one.vars);
  return { ok: true, ...image, waitsFor: [...new Set([...uses, ...deferred].map(canonical))].toSorted() };
}

function canonical(name: string): string {
  const reference = parseVarReference(name);
  return reference === undefined ? name : formatVarReference(reference);
}
