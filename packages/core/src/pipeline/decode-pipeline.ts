import { showText } from "../image/show-text.ts";
import type { ResourceType } from "../plan/plan.ts";
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
  name,
  type Owner,
  record,
  text,
} from "./decoder.ts";
import { duration, step } from "./decode-step.ts";
import type { PipelineJob, PipelineResource, PipelineStep, PipelineVarSource } from "./pipeline.ts";
import { version } from "./task-config.ts";
import { field, type YamlNode } from "./yaml-tree.ts";

export interface DecodedPipeline {
  readonly resourceTypes: readonly ResourceType[];
  readonly resources: readonly PipelineResource[];
  readonly jobs: readonly PipelineJob[];
  readonly varSources: readonly PipelineVarSource[];
}

/** Reads what a pipeline declares (upstream atc/config.go); what is wrong is in the context afterwards. */
export function decodePipeline(root: YamlNode, context: DecodeContext): DecodedPipeline {
  if (root.kind !== "map") {
    const says = root.kind === "scalar" && root.value === null ? "the pipeline is empty" : "a pipeline must be a map";
    context.problem(root, "", says, `It declares ${sections.join(", ")}.`);
    return { resourceTypes: [], resources: [], jobs: [], varSources: [] };
  }
  for (const entry of root.entries) {
    // Concourse ignores the keys it does not know here: people keep their anchors in them.
    const near = sections.some((known) => known === entry.key) ? undefined : didYouMean(entry.key, sections);
    if (near !== undefined) context.warn(entry, "", `${showText(entry.key)} is ignored; did you mean ${near}?`);
    if (entry.key === "prototypes") {
      context.problem(entry, "", "prototypes are not supported", "They are an experiment of Concourse; use a task.");
    }
  }
  const decoded = {
    resourceTypes: items(root, "resource_types", resourceType, context),
    resources: items(root, "resources", resource, context),
    jobs: items(root, "jobs", job, context),
    varSources: items(root, "var_sources", varSourceRecord, context),
  };
  items(root, "groups", group, context);
  if (decoded.jobs.length === 0 && context.problems.length === 0 && context.deferred.length === 0) {
    context.problem(root, "", "a pipeline has at least one job");
  }
  return decoded;
}

const hookFields: { readonly [Kind in HookKind]: Decoder<PipelineStep> } = {
  on_success: step,
  on_failure: step,
  on_abort: step,
  on_error: step,
  ensure: step,
};

const interval: Decoder<string> = (node, path, context) => {
  const never = node.kind === "scalar" && node.value === "never";
  return never ? "never" : duration(node, path, context);
};

const tags = listOf(text);

const typeOptions = {
  source: jsonMap,
  defaults: jsonMap,
  privileged: flag,
  check_every: interval,
  tags,
  params: jsonMap,
  version,
};

const resourceOptions = {
  old_name: text,
  public: flag,
  webhook_token: text,
  source: jsonMap,
  check_every: interval,
  check_timeout: duration,
  tags,
  version,
  icon: text,
  expose_build_created_by: flag,
};

const jobOptions = {
  plan: listOf(step),
  old_name: text,
  public: flag,
  disable_manual_trigger: flag,
  serial: flag,
  interruptible: flag,
  serial_groups: listOf(text),
  max_in_flight: count,
  build_logs_to_retain: count,
  build_log_retention: record(
    "build_log_retention",
    {},
    { builds: count, minimum_succeeded_builds: count, days: count },
  ),
  ...hookFields,
};

const typeRecord = record("a resource type", { name, type: text }, typeOptions);
const resourceRecord = record("a resource", { name, type: text }, resourceOptions);
const jobRecord = record("a job", { name }, jobOptions);
const varSourceRecord = record("a var source", { name, type: text }, { config: json });
const groupRecord = record("a group", { name }, { jobs: tags, resources: tags });

const resourceType: Decoder<ResourceType> = (node, path, context) => {
  const read = typeRecord(node, path, context);
  if (read === undefined) return undefined;
  context.mention("type", read.type, field(node, "type") ?? node, `${path}.type`);
  return { ...read, source: read.source ?? {} };
};

const resource: Decoder<PipelineResource> = (node, path, context) => {
  const read = resourceRecord(node, path, context);
  if (read === undefined) return undefined;
  context.mention("type", read.type, field(node, "type") ?? node, `${path}.type`);
  const { old_name: _oldName, webhook_token: _token, icon: _icon, ...rest } = read;
  return rest;
};

const job: Decoder<PipelineJob> = (node, path, context) => {
  const read = jobRecord(node, path, context);
  return read === undefined ? undefined : { name: read.name, step: jobStep(read.plan ?? [], read) };
};

const group: Decoder<unknown> = (node, path, context) => {
  const read = groupRecord(node, path, context);
  for (const name of read?.jobs ?? []) context.mention("job", name, field(node, "jobs") ?? node, path);
  for (const name of read?.resources ?? []) context.mention("resource", name, field(node, "resources") ?? node, path);
  return read;
};

const sections = ["resource_types", "resources", "jobs", "var_sources", "groups", "display"] as const;

/** The items of a section, each under its own name in messages. */
function items<Item>(
  root: YamlNode,
  section: (typeof sections)[number],
  decode: Decoder<Item>,
  context: DecodeContext,
): readonly Item[] {
  const node = field(root, section);
  if (node === undefined || (node.kind === "scalar" && node.value === null)) return [];
  if (node.kind !== "list") return awaited(node, section, context, "a list", true) ?? [];
  const names = new Set<string>();
  const read = node.items.flatMap((item, index) => {
    const called = nameOf(item);
    if (called !== undefined && names.has(called)) {
      context.problem(item, section, `two of the ${section} are called ${showText(called)}`);
    }
    if (called !== undefined) names.add(called);
    const path = called === undefined ? `${section}[${index}]` : `${section}.${called}`;
    context.begin(called === undefined ? undefined : ownerOf(section, called));
    return decode(item, path, context) ?? [];
  });
  context.begin(undefined);
  return read;
}

function ownerOf(section: string, name: string): Owner | undefined {
  return section === "jobs" || section === "resources" || section === "resource_types" ? { section, name } : undefined;
}

/** The name of a section's item, as far as it has one. */
export function nameOf(item: YamlNode): string | undefined {
  const called = field(item, "name");
  return called?.kind === "scalar" && typeof called.value === "string" ? called.value : undefined;
}

/** A job's hooks wrap its plan from the inside out (upstream atc/job_config.go). */
function jobStep(steps: readonly PipelineStep[], hooks: { readonly [Kind in HookKind]?: PipelineStep }): PipelineStep {
  let wrapped: PipelineStep = { kind: "do", steps };
  for (const kind of ["on_success", "on_failure", "on_abort", "on_error", "ensure"] as const) {
    const hook = hooks[kind];
    if (hook !== undefined) wrapped = { kind, step: wrapped, hook };
  }
  return wrapped;
}
