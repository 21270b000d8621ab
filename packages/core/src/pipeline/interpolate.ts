import type { Json } from "../json.ts";
import {
  formatVarReference,
  parseVarReference,
  replaceVars,
  type VarReference,
  varsIn,
  wholeVar,
} from "./var-reference.ts";
import { fromJson, type Problem, toJson, type YamlEntry, type YamlNode } from "./yaml-tree.ts";

/** The value of a var; undefined leaves `((var))` as it is. */
export type VarLookup = (reference: VarReference) => Json | undefined;

/**
 * Puts values in the place of vars, in keys too, as Concourse does (upstream vars/template.go): a var that is the whole
 * text keeps its value's type; among other text only strings and numbers can stand. What a value holds is not looked at
 * again. Nodes that nothing changes in are the same nodes.
 */
export function interpolate(root: YamlNode, lookup: VarLookup): { root: YamlNode; problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const done = new Map<YamlNode, YamlNode>();
  const text = (written: string, at: number): string =>
    replaceVars(written, (name) => {
      const reference = parseVarReference(name);
      const value = reference === undefined ? undefined : lookup(reference);
      if (value === undefined || reference === undefined) return undefined;
      if (typeof value === "string" || typeof value === "number") return String(value);
      const says = `((${formatVarReference(reference)})) is ${kindOf(value)}; only text and numbers can stand among other text`;
      problems.push({ at, path: "", says });
      return undefined;
    });
  const visit = (node: YamlNode): YamlNode => {
    const before = done.get(node);
    if (before !== undefined) return before;
    const after = changed(node);
    done.set(node, after);
    return after;
  };
  const changed = (node: YamlNode): YamlNode => {
    if (node.kind === "list") return { ...node, items: node.items.map(visit) };
    if (node.kind === "map") return { ...node, entries: lastOfEach(node.entries.map(entry)) };
    if (typeof node.value !== "string" || !node.value.includes("((")) return node;
    const name = wholeVar(node.value);
    const reference = name === undefined ? undefined : parseVarReference(name);
    const value = reference === undefined ? undefined : lookup(reference);
    if (value !== undefined && isTooDeep(value)) {
      problems.push({
        at: node.at,
        path: "",
        says: `the value of ((${name})) is nested deeper than ${deepest} levels`,
      });
      return node;
    }
    if (value !== undefined) return fromJson(value, node.at);
    return { ...node, value: text(node.value, node.at) };
  };
  const entry = ({ key, at, value }: YamlEntry): YamlEntry => ({
    key: key.includes("((") ? text(key, at) : key,
    at,
    value: visit(value),
  });
  return { root: visit(root), problems };
}

const deepest = 100;

function isTooDeep(value: Json): boolean {
  let level: readonly Json[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > deepest) return true;
    level = level.flatMap((part) => (typeof part === "object" && part !== null ? Object.values(part) : []));
  }
  return false;
}

/** Vars in keys may have made two of one name. */
function lastOfEach(entries: readonly YamlEntry[]): readonly YamlEntry[] {
  const byKey = new Map(entries.map((entry) => [entry.key, entry]));
  return byKey.size === entries.length ? entries : [...byKey.values()];
}

/** As `interpolate`, for a value without a place; what cannot stand among text stays a `((var))`. */
export function interpolateJson(value: Json, lookup: VarLookup): Json {
  return toJson(interpolate(fromJson(value, 0), lookup).root);
}

export interface VarUse {
  /** Between the parentheses, as written. */
  readonly name: string;
  readonly at: number;
}

/** Every var in the values and keys, each where it stands; shared nodes once. */
export function varUses(root: YamlNode): readonly VarUse[] {
  const uses: VarUse[] = [];
  const seen = new Set<YamlNode>();
  const left = [root];
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    const { at } = node;
    if (node.kind === "list") for (const item of node.items) left.push(item);
    else if (node.kind === "map") {
      for (const { key, at, value } of node.entries) {
        for (const name of varsIn(key)) uses.push({ name, at });
        left.push(value);
      }
    } else if (typeof node.value === "string") for (const name of varsIn(node.value)) uses.push({ name, at });
  }
  return uses.toSorted((a, b) => a.at - b.at);
}

export function kindOf(value: Json | undefined): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  if (typeof value === "string") return "text";
  return typeof value === "number" ? "a number" : "a boolean";
}
