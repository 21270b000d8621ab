import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  FetchImageError,
  type JsonObject,
  parsePipeline,
  parseVarFlags,
  parseVarsFile,
  type Pipeline,
  type PipelineWarning,
  resolveVars,
  type VarSource,
  visible,
} from "@fetch-image/core";
import { baseResourceTypeImages, type BaseTypeOverrides, parseBaseTypeOverrides } from "@fetch-image/kubernetes";
import type { CommandContext, Option } from "./command.ts";
import { errnoOf } from "./errno.ts";

/** Options of every command that reads a pipeline. */
export const varOptions: readonly Option[] = [
  { name: "var", value: "NAME=TEXT", repeatable: true, does: "give ((NAME)) a text" },
  { name: "yaml-var", value: "NAME=YAML", repeatable: true, does: "give ((NAME)) a value of any kind" },
  { name: "load-vars-from", value: "FILE", repeatable: true, does: "read vars from a YAML file; a later file wins" },
];

export interface LoadedPipeline {
  /** Its vars resolved. */
  readonly pipeline: Pipeline;
  /** What the command line gave, in the order in which it is looked up. */
  readonly values: readonly JsonObject[];
  readonly baseTypes: BaseTypeOverrides;
  /** Texts that must never be stored or shown. */
  readonly secrets: readonly string[];
}

export interface LoadPipelineOptions {
  /** The one job that is wanted: vars that only other jobs need may then be missing. */
  readonly job: (pipeline: Pipeline) => string | undefined;
  /** Whether vars without a value are an error, or stay as they are. */
  readonly missing: "refuse" | "stay";
}

/**
 * Reads and checks the pipeline file, and puts its vars in. Warnings go to standard error. Throws
 * `FI_PIPELINE_UNREADABLE`, `FI_PIPELINE_INVALID`, `FI_VAR_MISSING`…
 */
export async function loadPipeline(
  file: string,
  context: Pick<CommandContext, "options" | "settings" | "terminal" | "secrets" | "cwd">,
  { job: choose, missing }: LoadPipelineOptions,
): Promise<LoadedPipeline> {
  const { options, settings, terminal, secrets, cwd } = context;
  const overrides = parseBaseTypeOverrides(settings.values.baseTypes);
  if (!overrides.ok) throw overrides.error;
  const baseTypes = Object.keys({ ...baseResourceTypeImages, ...overrides.overrides });
  const parsed = parsePipeline(await readTextFile(cwd, file), { file, baseTypes });
  if (!parsed.ok) throw parsed.error;
  const values = await givenVars(options, cwd);
  const job = choose(parsed.pipeline);
  const resolved = await resolveVars(parsed.pipeline, {
    values,
    ...(job === undefined ? {} : { job }),
    ...(missing === "stay" ? { source: sayingNothing } : {}),
  });
  if (!resolved.ok) throw resolved.error;
  await secrets.add(resolved.secrets);
  for (const warning of new Set([...parsed.warnings, ...resolved.warnings].map(inWords))) {
    terminal.err(secrets.redact(`warning: ${visible(warning)}\n`));
  }
  const { pipeline } = resolved;
  return { pipeline, values, baseTypes: overrides.overrides, secrets: resolved.secrets };
}

/** The job that is named, else the only one. Throws `FI_JOB_UNKNOWN`. */
export function chosenJob({ jobs, file }: Pipeline, named: string | undefined): string {
  if (named !== undefined) return named;
  const names = jobs.map(({ name }) => name);
  const [only] = names;
  if (only !== undefined && names.length === 1) return only;
  throw new FetchImageError("FI_JOB_UNKNOWN", {
    message: `${file} has ${names.length === 0 ? "no" : names.length} jobs`,
    hint: names.length === 0 ? "Give the pipeline a job." : `Name one with --job: ${names.join(", ")}.`,
    details: { jobs: names },
  });
}

/** Throws `FI_PIPELINE_UNREADABLE`. */
export async function readTextFile(cwd: string, file: string): Promise<string> {
  try {
    return await readFile(resolve(cwd, file), "utf8");
  } catch (error) {
    const code = errnoOf(error) ?? "unknown";
    const why = code === "ENOENT" ? "there is no such file" : `it cannot be read (${code})`;
    throw new FetchImageError("FI_PIPELINE_UNREADABLE", { message: `${file}: ${why}`, details: { file } });
  }
}

/** Answers for every var with the var itself. */
const sayingNothing: VarSource = {
  get({ source, path, fields }) {
    const segments = [path, ...fields].map((name) => (/[,.:/ ]/.test(name) ? `"${name}"` : name));
    const name = `${source === undefined ? "" : `${source}:`}${segments.join(".")}`;
    return Promise.resolve({ found: true, value: `((${name}))` });
  },
};

/** Flags first, then files, the last file first. */
async function givenVars(options: CommandContext["options"], cwd: string): Promise<readonly JsonObject[]> {
  const flags = parseVarFlags([
    ...options.list("var").map((text) => ({ text })),
    ...options.list("yaml-var").map((text) => ({ text, yaml: true })),
  ]);
  if (!flags.ok) throw flags.error;
  const values = [flags.values];
  for (const file of options.list("load-vars-from").toReversed()) {
    const read = parseVarsFile(await readTextFile(cwd, file), { file });
    if (!read.ok) throw read.error;
    values.push(read.values);
  }
  return values;
}

function inWords({ file, line, column, path, message }: PipelineWarning): string {
  return `${file}:${line}:${column}: ${path === "" ? "" : `${path}: `}${message}`;
}
