import type { Json } from "../json.ts";

/**
 * A YAML document's values and where each stands. Anchors are shared, not copied, so a tree may be a graph without
 * cycles; its size and depth when spread out are bounded by `parseYaml`.
 */
export type YamlNode = YamlMap | YamlList | YamlScalar;

export interface YamlMap {
  readonly kind: "map";
  /** The offset in the text, in UTF-16 units. */
  readonly at: number;
  /** Each key once; merge keys (`<<`) are resolved. */
  readonly entries: readonly YamlEntry[];
}

export interface YamlEntry {
  readonly key: string;
  readonly at: number;
  readonly value: YamlNode;
}

export interface YamlList {
  readonly kind: "list";
  readonly at: number;
  readonly items: readonly YamlNode[];
}

interface YamlScalar {
  readonly kind: "scalar";
  readonly at: number;
  readonly value: string | number | boolean | null;
  /** A number as it was written, where that is not how it reads: `1.10` reads 1.1. */
  readonly written?: string;
}

/** One thing to say about a place of the text. Never holds a value that may be a secret. */
export interface Problem {
  readonly at: number;
  /** `jobs.unit.plan[0].get`; empty for the document. */
  readonly path: string;
  readonly says: string;
  readonly hint?: string;
  readonly code?: "FI_RESOURCE_TYPE_CYCLE";
}

export function toJson(node: YamlNode): Json {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(toJson);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, toJson(value)]));
}

/** The value as a tree in which everything stands at one place. */
export function fromJson(value: Json, at: number): YamlNode {
  if (typeof value !== "object" || value === null) return { kind: "scalar", at, value };
  if (isList(value)) return { kind: "list", at, items: value.map((item) => fromJson(item, at)) };
  const entries = Object.entries(value).map(([key, item]) => ({ key, at, value: fromJson(item, at) }));
  return { kind: "map", at, entries };
}

/** `Array.isArray` forgets that a list may be read-only. */
export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/** The value of a map's key; undefined where the node is no map or has no such key. */
export function field(node: YamlNode | undefined, key: string): YamlNode | undefined {
  return node?.kind === "map" ? node.entries.find((entry) => entry.key === key)?.value : undefined;
}
