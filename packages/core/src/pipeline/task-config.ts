import type { Json } from "../json.ts";
import type { ContainerLimits, ImageResource, TaskConfig, Version } from "../plan/plan.ts";
import {
  awaited,
  type Decoder,
  type DecodeContext,
  flag,
  json,
  jsonMap,
  listOf,
  mapOf,
  record,
  text,
} from "./decoder.ts";
import { field, isList, toJson, type YamlNode } from "./yaml-tree.ts";

/** A version's values are text; a number would be another one by the time it has been through YAML. */
export const version: Decoder<Version> = mapOf(text);

/** An environment: Concourse turns whatever stands there into text (upstream atc/task.go, CoercedString). */
export const environment: Decoder<{ readonly [name: string]: string }> = mapOf((node) => coerced(node));

const imageOptions = { name: text, source: jsonMap, params: jsonMap, version, tags: listOf(text) };
const image = record("an image_resource", { type: text }, imageOptions);

/** The image of a task; the pipeline must know its type. */
const imageResource: Decoder<ImageResource> = (node, path, context) => {
  const read = image(node, path, context);
  if (read === undefined) return undefined;
  context.mention("type", read.type, field(node, "type") ?? node, `${path}.type`);
  return { ...read, source: read.source ?? {} };
};

export const containerLimits: Decoder<ContainerLimits> = record("container_limits", {}, { cpu: json, memory: json });
const run = { path: text };
const runOptions = { args: listOf(text), dir: text, user: text };
const input = { path: text, optional: flag };
const taskOptions = {
  rootfs_uri: text,
  image_resource: imageResource,
  container_limits: containerLimits,
  params: environment,
  run: record("a task's run", run, runOptions),
  inputs: listOf(record("a task's input", { name: text }, input)),
  outputs: listOf(record("a task's output", { name: text }, { path: text })),
  caches: listOf(record("a task's cache", {}, { path: text })),
};

/** A task's config, in the pipeline or in a file of its own. */
export const taskConfig: Decoder<TaskConfig> = record("a task's config", { platform: text }, taskOptions);

/** `all`, or how many at most. */
export const maxInFlight: Decoder<number | "all"> = (node, path, context: DecodeContext) => {
  if (node.kind !== "scalar") return awaited(node, path, context, "a number or all");
  if (node.value === "all") return "all";
  if (typeof node.value !== "number") return awaited(node, path, context, "a number or all");
  if (Number.isSafeInteger(node.value) && node.value > 0) return node.value;
  return context.problem(node, path, "must be greater than 0");
};

function coerced(node: YamlNode): string {
  const value = toJson(node);
  if (value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(sorted(value));
}

/** Go writes the keys of a map in order. */
function sorted(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (isList(value)) return value.map(sorted);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}
