import type { Json, JsonObject } from "../json.ts";
import { showText } from "../image/show-text.ts";
import { didYouMean } from "../source/did-you-mean.ts";
import { kindOf } from "./interpolate.ts";
import { varsIn } from "./var-reference.ts";
import { type Problem, toJson, type YamlEntry, type YamlMap, type YamlNode } from "./yaml-tree.ts";

/** The job, resource or resource type that a place of the pipeline belongs to. */
export interface Owner {
  readonly section: "jobs" | "resources" | "resource_types";
  readonly name: string;
}

/** A value that is not text and waits for a var. */
export interface Deferred {
  readonly owner: Owner | undefined;
  readonly vars: readonly string[];
  readonly path: string;
  readonly at: number;
  /** Whether a whole list, map or step is missing: then nothing can be said about names that are not there. */
  readonly structural: boolean;
}

/** A name that must be known somewhere else in the pipeline. */
export interface Mention {
  readonly of: "resource" | "type" | "job";
  readonly name: string;
  readonly at: number;
  readonly path: string;
}

export class DecodeContext {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly deferred: Deferred[] = [];
  readonly mentions: Mention[] = [];
  #owner: Owner | undefined;
  #gets = new Set<string>();

  /** What is read from here on belongs to `owner`. */
  begin(owner: Owner | undefined): void {
    this.#owner = owner;
    this.#gets = new Set();
  }

  /** A job's gets name its inputs, so no two may have one name. */
  getNamed(name: string, node: { readonly at: number }, path: string): void {
    if (this.#gets.has(name)) this.problem(node, path, `an earlier get of this job is called ${showText(name)} too`);
    this.#gets.add(name);
  }

  /** Nobody reads more than this many problems, and finding more may take long. */
  get isFull(): boolean {
    return this.problems.length >= 50;
  }

  problem(node: { readonly at: number }, path: string, says: string, hint?: string): undefined {
    if (!this.isFull) this.problems.push({ at: node.at, path, says, ...(hint === undefined ? {} : { hint }) });
  }

  warn(node: { readonly at: number }, path: string, says: string): void {
    this.warnings.push({ at: node.at, path, says });
  }

  defer(deferred: Omit<Deferred, "owner">): undefined {
    this.deferred.push({ owner: this.#owner, ...deferred });
  }

  mention(of: Mention["of"], name: string, node: { readonly at: number }, path: string): void {
    if (!name.includes("((")) this.mentions.push({ of, name, at: node.at, path });
  }
}

/** Reads one value; undefined where it is wrong, which then is in the context's problems, or waits for a var. */
export type Decoder<Value> = (node: YamlNode, path: string, context: DecodeContext) => Value | undefined;

export const text: Decoder<string> = (node, path, context) =>
  node.kind === "scalar" && typeof node.value === "string"
    ? node.value
    : wrongKind(node, path, context, "text", node.kind === "scalar" ? "Put it in quotes." : undefined);

export const name: Decoder<string> = (node, path, context) => {
  const read = text(node, path, context);
  if (read === "") return context.problem(node, path, "has an empty name");
  if (read !== undefined && !/^[\p{Ll}\p{Lt}\p{Lm}\p{Lo}\d][\p{Ll}\p{Lt}\p{Lm}\p{Lo}\d\-_.]*$/u.test(read)) {
    if (!read.includes("(("))
      context.warn(node, path, `${showText(read)} is not a valid identifier in newer Concourse`);
  }
  return read;
};

export const flag: Decoder<boolean> = (node, path, context) =>
  node.kind === "scalar" && typeof node.value === "boolean"
    ? node.value
    : awaited(node, path, context, "true or false");

export const count: Decoder<number> = (node, path, context) =>
  node.kind === "scalar" && Number.isSafeInteger(node.value)
    ? Number(node.value)
    : awaited(node, path, context, "a whole number");

export const json: Decoder<Json> = (node) => toJson(node);

export const jsonMap: Decoder<JsonObject> = (node, path, context) => {
  if (node.kind !== "map") return awaited(node, path, context, "a map", true);
  warnAboutNumberTag(node, path, context);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, toJson(value)]));
};

export function listOf<Value>(decode: Decoder<Value>): Decoder<readonly Value[]> {
  return (node, path, context) => {
    if (node.kind !== "list") return awaited(node, path, context, "a list", true);
    return node.items.flatMap((item, index) => decode(item, `${path}[${index}]`, context) ?? []);
  };
}

export function mapOf<Value>(decode: Decoder<Value>): Decoder<{ readonly [key: string]: Value }> {
  return (node, path, context) => {
    if (node.kind !== "map") return awaited(node, path, context, "a map", true);
    return Object.fromEntries(
      node.entries.flatMap(({ key, value }) => {
        const read = decode(value, `${path}.${key}`, context);
        return read === undefined ? [] : [[key, read] as const];
      }),
    );
  };
}

type Fields = { readonly [name: string]: Decoder<unknown> };
type Read<Spec extends Fields> = {
  readonly [Name in keyof Spec]: Spec[Name] extends Decoder<infer Value> ? Value : never;
};
export type RecordOf<Required extends Fields, Optional extends Fields> = Read<Required> & Partial<Read<Optional>>;

/** A map with known keys. A key without a value counts as left out, as Go reads it. */
export function record<Required extends Fields, Optional extends Fields>(
  what: string,
  required: Required,
  optional: Optional,
): Decoder<RecordOf<Required, Optional>> {
  const known = [...Object.keys(required), ...Object.keys(optional)];
  return (node, path, context) => {
    if (node.kind !== "map") return awaited(node, path, context, "a map", true);
    refuseUnknown(node.entries, known, what, path, context);
    return readFields<Required, Optional>(node, required, optional, { what, path, context });
  };
}

interface Place {
  readonly what: string;
  readonly path: string;
  readonly context: DecodeContext;
}

/** As `record`, where somebody else has looked for unknown keys. */
export function readFields<Required extends Fields, Optional extends Fields>(
  node: YamlMap,
  required: Required,
  optional: Optional,
  place: Place,
): RecordOf<Required, Optional> | undefined;
export function readFields(
  node: YamlMap,
  required: Fields,
  optional: Fields,
  { what, path, context }: Place,
): object | undefined {
  const known = [...Object.keys(required), ...Object.keys(optional)];
  const read: [string, unknown][] = [];
  let complete = true;
  for (const { key, value } of node.entries) {
    const decode = Object.hasOwn(required, key) ? required[key] : Object.hasOwn(optional, key) ? optional[key] : null;
    if (decode === undefined || decode === null) continue;
    if (value.kind === "scalar" && value.value === null) continue;
    const field = decode(value, path === "" ? key : `${path}.${key}`, context);
    if (field !== undefined) read.push([key, field]);
    else if (Object.hasOwn(required, key)) complete = false;
  }
  for (const missing of Object.keys(required)) {
    const entry = node.entries.find(({ key }) => key === missing);
    if (entry === undefined || (entry.value.kind === "scalar" && entry.value.value === null)) {
      complete = false;
      // A misspelt field has been refused already, with its right name.
      const unknown = node.entries.filter(({ key }) => !known.includes(key)).slice(0, 20);
      const isMisspelt = unknown.some(({ key }) => didYouMean(key, known) === missing);
      if (!isMisspelt) context.problem(entry ?? node, path, `${what} has no ${missing}`);
    }
  }
  return complete ? Object.fromEntries(read) : undefined;
}

export function refuseUnknown(
  entries: readonly YamlEntry[],
  known: readonly string[],
  what: string,
  path: string,
  context: DecodeContext,
): void {
  for (const entry of entries) {
    if (known.includes(entry.key) || entry.key.includes("((")) continue;
    if (context.isFull) return;
    const near = didYouMean(entry.key, known);
    const hint = near === undefined ? `It may have ${known.join(", ")}.` : `Did you mean ${near}?`;
    context.problem(entry, path, `unknown field ${showText(entry.key)} in ${what}`, hint);
  }
}

/** A value of the wrong kind, unless it is a var that may yet become one of the right kind. */
export function awaited(
  node: YamlNode,
  path: string,
  context: DecodeContext,
  wanted: string,
  structural: boolean = false,
): undefined {
  const vars = node.kind === "scalar" && typeof node.value === "string" ? varsIn(node.value) : [];
  if (vars.length === 0) return wrongKind(node, path, context, wanted);
  return context.defer({ vars, path, at: node.at, structural });
}

function wrongKind(node: YamlNode, path: string, context: DecodeContext, wanted: string, hint?: string): undefined {
  return context.problem(node, path, `must be ${wanted}, not ${kindOf(kindSample(node))}`, hint);
}

function kindSample(node: YamlNode): Json {
  if (node.kind === "scalar") return node.value;
  return node.kind === "list" ? [] : {};
}

/** `tag: 1.10` is the number 1.1 to Concourse: another image, and nobody is told. */
function warnAboutNumberTag(node: YamlMap, path: string, context: DecodeContext): void {
  for (const { key, value } of node.entries) {
    if (key !== "tag" || value.kind !== "scalar" || value.written === undefined) continue;
    const says = `the tag ${value.written} is a number and reads ${value.value}; put it in quotes`;
    context.warn(value, `${path}.${key}`, says);
  }
}
