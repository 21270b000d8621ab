import type { Json, JsonObject } from "../json.ts";
import { secretsOf } from "../source/secrets-of.ts";
import { isList, toJson, type YamlNode } from "./yaml-tree.ts";

/** Where resources and images have their credentials. A step's params have none of ours, and much that only looks so. */
const maps: ReadonlySet<string> = new Set(["source", "defaults"]);

/** What a var source gave: all of its text, but for single characters, which tell nothing and would garble everything. */
export function secretsOfValue(value: Json): readonly string[] {
  return textsIn(value).flatMap((text) => secretsOf({ password: text }));
}

/** What stands in a field for credentials anywhere in the pipeline, longest first. */
export function secretsOfDeclaration(root: YamlNode): readonly string[] {
  const found = new Set<string>();
  const left: Json[] = [toJson(root)];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (typeof next !== "object" || next === null) continue;
    for (const [key, value] of isList(next) ? next.map((item) => ["", item] as const) : Object.entries(next)) {
      const isWebhook = key === "webhook_token" && typeof value === "string";
      if (isWebhook) for (const secret of secretsOf({ webhook_token: value })) found.add(secret);
      if (maps.has(key) && isMap(value)) for (const secret of secretsOf(value)) found.add(secret);
      left.push(value);
    }
  }
  return [...found].filter(isWorthCutting).toSorted((a, b) => b.length - a.length);
}

/** Replaces each of the secrets in a text as Concourse shows it; one that stands in another leaves nothing of the longer. */
export function secretCutter(secrets: readonly string[]): (text: string) => string {
  if (secrets.length === 0) return (text) => text;
  const longestFirst = secrets.toSorted((a, b) => b.length - a.length);
  // In one pass, so that no secret is looked for in the marks of the others.
  const any = new RegExp(longestFirst.map((secret) => secret.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|"), "g");
  return (text) => text.replaceAll(any, "((redacted))");
}

function textsIn(value: Json): readonly string[] {
  if (typeof value === "string") return isWorthCutting(value) ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  return (isList(value) ? value : Object.values(value)).flatMap(textsIn);
}

function isMap(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !isList(value);
}

/** A var that is still a var is no secret. */
function isWorthCutting(text: string): boolean {
  return text.trim().length > 1 && !/^\(\([^()]*\)\)$/.test(text);
}
