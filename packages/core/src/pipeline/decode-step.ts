import { showText } from "../image/show-text.ts";
import { goDuration } from "../plan/go-duration.ts";
import type { HookKind } from "../plan/children.ts";
import { didYouMean } from "../source/did-you-mean.ts";
import {
  awaited,
  count,
  type DecodeContext,
  type Decoder,
  flag,
  json,
  jsonMap,
  listOf,
  mapOf,
  name,
  readFields,
  record,
  refuseUnknown,
  text,
} from "./decoder.ts";
import type { PipelineStep } from "./pipeline.ts";
import { containerLimits, environment, maxInFlight, taskConfig, version } from "./task-config.ts";
import { field, type YamlMap, type YamlNode } from "./yaml-tree.ts";

/**
 * Reads a step. What kind it is depends on which keys it has; the others are its modifiers, which wrap it in a fixed
 * order (upstream atc/steps.go, StepPrecedence): ensure outermost, then on_error, on_abort, on_failure, on_success,
 * across, attempts, and timeout where the kind has none of its own.
 */
export const step: Decoder<PipelineStep> = (node, path, context) => {
  if (node.kind !== "map") return awaited(node, path, context, "a step", true);
  const kinds = kindNames.filter((kind) => field(node, kind) !== undefined);
  const [kind, second] = kinds;
  if (kind === undefined) return refuseKind(node, path, context);
  if (second !== undefined) {
    return context.problem(node, path, `a step is a ${kind} or a ${second}, not both`, "Make two steps of it.");
  }
  const called = field(node, kind);
  if (called?.kind === "scalar" && called.value === null) {
    return context.problem(called, path, `the value of ${kind} is missing`);
  }
  const { fields, read } = stepKinds[kind];
  const across = field(node, "across") === undefined ? [] : ["fail_fast"];
  refuseUnknown(node.entries, [kind, ...fields, ...modifiers, ...across], `a ${kind} step`, path, context);
  const core = read(node, path, context);
  // The modifiers are read even so: whoever corrects a file wants to know all that is wrong with it.
  const wrapped = wrap(core ?? nothing, node, { path, context, timed: fields.includes("timeout") });
  return core === undefined ? undefined : wrapped;
};

type KindName = "get" | "put" | "task" | "set_pipeline" | "load_var" | "try" | "do" | "in_parallel";

interface StepKind {
  /** The fields beside the one that names the kind. */
  readonly fields: readonly string[];
  readonly read: (node: YamlMap, path: string, context: DecodeContext) => PipelineStep | undefined;
}

const nothing: PipelineStep = { kind: "do", steps: [] };
const hooks: readonly HookKind[] = ["on_success", "on_failure", "on_abort", "on_error", "ensure"];
const modifiers = ["across", "attempts", "timeout", ...hooks];

export const duration: Decoder<string> = (node, path, context) => {
  const read = text(node, path, context);
  if (read === undefined || read.includes("((") || goDuration(read) !== undefined) return read;
  return context.problem(node, path, `${showText(read)} is not a duration`, "Write it as 30s, 10m or 1h30m.");
};

const tags = listOf(text);
const texts = mapOf(text);

const getOptions = {
  resource: name,
  version: versionChoice,
  params: jsonMap,
  passed: listOf(passedJob),
  trigger: flag,
  tags,
  timeout: duration,
};
const putOptions = {
  resource: name,
  params: jsonMap,
  inputs: putInputs,
  tags,
  timeout: duration,
  get_params: jsonMap,
  no_get: flag,
};
const taskOptions = {
  privileged: flag,
  hermetic: flag,
  file: text,
  config: taskConfig,
  container_limits: containerLimits,
  params: environment,
  vars: jsonMap,
  tags,
  input_mapping: texts,
  output_mapping: texts,
  image: text,
  timeout: duration,
};
const setPipelineOptions = { team: text, vars: jsonMap, var_files: listOf(text), instance_vars: jsonMap };
const loadVarOptions = { format: text, reveal: flag };
const parallelOptions = { steps: stepList, limit: count, fail_fast: flag };

const stepKinds: { readonly [Kind in KindName]: StepKind } = {
  get: {
    fields: Object.keys(getOptions),
    read: (node, path, context) => {
      const body = readFields(node, { get: name }, getOptions, { what: "a get step", path, context });
      if (body === undefined) return undefined;
      const { get, passed: _passed, trigger: _trigger, ...rest } = body;
      const resource = body.resource ?? get;
      context.mention("resource", resource, field(node, "resource") ?? node, path);
      context.getNamed(get, node, path);
      return { ...rest, kind: "get", name: get, resource };
    },
  },
  put: {
    fields: Object.keys(putOptions),
    read: (node, path, context) => {
      const body = readFields(node, { put: name }, putOptions, { what: "a put step", path, context });
      if (body === undefined) return undefined;
      const { put, ...rest } = body;
      const resource = body.resource ?? put;
      context.mention("resource", resource, field(node, "resource") ?? node, path);
      return { ...rest, kind: "put", name: put, resource };
    },
  },
  task: {
    fields: Object.keys(taskOptions),
    read: (node, path, context) => {
      const body = readFields(node, { task: name }, taskOptions, { what: "a task step", path, context });
      const [config, file] = [field(node, "config"), field(node, "file")];
      if (config === undefined && file === undefined) context.problem(node, path, "a task has a config or a file");
      if (config !== undefined && file !== undefined) {
        return context.problem(file, path, "a task has a config or a file, not both");
      }
      if (body === undefined) return undefined;
      const { task, ...rest } = body;
      return { ...rest, kind: "task", name: task };
    },
  },
  set_pipeline: {
    fields: ["file", ...Object.keys(setPipelineOptions)],
    read: (node, path, context) => {
      const required = { set_pipeline: name, file: text };
      const place = { what: "a set_pipeline step", path, context };
      const body = readFields(node, required, setPipelineOptions, place);
      if (body === undefined) return undefined;
      const { set_pipeline: pipeline, ...rest } = body;
      return { kind: "set_pipeline", body: { name: pipeline, ...rest } };
    },
  },
  load_var: {
    fields: ["file", ...Object.keys(loadVarOptions)],
    read: (node, path, context) => {
      const place = { what: "a load_var step", path, context };
      const body = readFields(node, { load_var: name, file: text }, loadVarOptions, place);
      if (body === undefined) return undefined;
      const { load_var: variable, ...rest } = body;
      return { kind: "load_var", body: { name: variable, ...rest } };
    },
  },
  try: {
    fields: [],
    read: (node, path, context) => {
      const inner = readInner(node, "try", step, path, context);
      return inner === undefined ? undefined : { kind: "try", step: inner };
    },
  },
  do: {
    fields: [],
    read: (node, path, context) => {
      const steps = readInner(node, "do", stepList, path, context);
      return steps === undefined ? undefined : { kind: "do", steps };
    },
  },
  in_parallel: {
    fields: [],
    read: (node, path, context) => {
      const inner = field(node, "in_parallel");
      if (inner?.kind === "list") {
        const steps = stepList(inner, `${path}.in_parallel`, context);
        return steps === undefined ? undefined : { kind: "in_parallel", steps };
      }
      const body = readInner(node, "in_parallel", record("in_parallel", {}, parallelOptions), path, context);
      return body === undefined ? undefined : { steps: [], ...body, kind: "in_parallel" };
    },
  },
};
const kindNames: readonly KindName[] = ["task", "put", "get", "set_pipeline", "load_var", "try", "do", "in_parallel"];

interface Wrapping {
  readonly path: string;
  readonly context: DecodeContext;
  /** Whether the step has a timeout of its own. */
  readonly timed: boolean;
}

function wrap(core: PipelineStep, node: YamlMap, { path, context, timed }: Wrapping): PipelineStep {
  let wrapped = core;
  const modifier = <Value>(key: string, decode: Decoder<Value>): Value | undefined =>
    field(node, key) === undefined ? undefined : readInner(node, key, decode, path, context);

  const limit = timed ? undefined : modifier("timeout", duration);
  if (limit !== undefined) wrapped = { kind: "timeout", step: wrapped, duration: limit };
  const attempts = modifier("attempts", positive);
  if (attempts !== undefined) wrapped = { kind: "retry", step: wrapped, attempts };
  const vars = modifier("across", acrossVars);
  if (vars !== undefined) {
    const failFast = modifier("fail_fast", flag);
    wrapped = { kind: "across", step: wrapped, vars, ...(failFast === undefined ? {} : { fail_fast: failFast }) };
  }
  for (const kind of hooks) {
    const hook = modifier(kind, step);
    if (hook !== undefined) wrapped = { kind, step: wrapped, hook };
  }
  return wrapped;
}

function readInner<Value>(
  node: YamlMap,
  key: string,
  decode: Decoder<Value>,
  path: string,
  context: DecodeContext,
): Value | undefined {
  const inner = field(node, key);
  return inner === undefined ? undefined : decode(inner, `${path}.${key}`, context);
}

function stepList(node: YamlNode, path: string, context: DecodeContext): readonly PipelineStep[] | undefined {
  return listOf(step)(node, path, context);
}

const acrossVar = record("an across var", { var: name, values: json }, { max_in_flight: maxInFlight });

const acrossVars: Decoder<Extract<PipelineStep, { kind: "across" }>["vars"]> = (node, path, context) => {
  const vars = listOf(acrossVar)(node, path, context);
  if (node.kind === "list" && node.items.length === 0) return context.problem(node, path, "across has no vars");
  const twice = vars?.find((one, index) => vars.findIndex((other) => other.var === one.var) !== index);
  if (twice !== undefined) return context.problem(node, path, `the var ${showText(twice.var)} stands here twice`);
  for (const [index, { values }] of (vars ?? []).entries()) {
    const isVar = typeof values === "string" && values.startsWith("((");
    if (isVar || Array.isArray(values)) continue;
    context.problem(node, `${path}[${index}]`, "the values of an across var must be a list");
  }
  return vars;
};

const positive: Decoder<number> = (node, path, context) => {
  const read = count(node, path, context);
  return read !== undefined && read < 1 ? context.problem(node, path, "must be greater than 0") : read;
};

function versionChoice(node: YamlNode, path: string, context: DecodeContext) {
  if (node.kind !== "scalar") return version(node, path, context);
  if (node.value === "latest" || node.value === "every") return node.value;
  return awaited(node, path, context, "latest, every or a version");
}

function putInputs(node: YamlNode, path: string, context: DecodeContext) {
  if (node.kind !== "scalar") return tags(node, path, context);
  if (node.value === "all" || node.value === "detect") return node.value;
  return awaited(node, path, context, "all, detect or a list");
}

function passedJob(node: YamlNode, path: string, context: DecodeContext): string | undefined {
  const job = text(node, path, context);
  if (job !== undefined) context.mention("job", job, node, path);
  return job;
}

function refuseKind(node: YamlMap, path: string, context: DecodeContext): undefined {
  const known: readonly string[] = [...modifiers, "fail_fast"];
  const entry = node.entries.find(({ key }) => !known.includes(key));
  if (entry === undefined) return context.problem(node, path, `a step has one of ${kindNames.join(", ")}`);
  const near = didYouMean(entry.key, kindNames);
  const other = near === undefined ? `It may be ${kindNames.join(", ")}.` : `Did you mean ${near}?`;
  return context.problem(entry, path, `unknown step kind ${showText(entry.key)}`, removed.get(entry.key) ?? other);
}

const removed: ReadonlyMap<string, string> = new Map([
  ["aggregate", "Write in_parallel: Concourse 7 removed aggregate."],
  ["run", "Prototypes are an experiment of Concourse that is not supported here; use a task."],
]);
