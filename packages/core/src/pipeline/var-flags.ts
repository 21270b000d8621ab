import { FetchImageError } from "../errors/fetch-image-error.ts";
import { showText } from "../image/show-text.ts";
import type { Json, JsonObject } from "../json.ts";
import { parseYaml } from "./parse-yaml.ts";
import { lineStartsOf, pipelineError } from "./pipeline-error.ts";
import { parseVarReference } from "./var-reference.ts";
import { isList, toJson } from "./yaml-tree.ts";

export type VarValues =
  { readonly ok: true; readonly values: JsonObject } | { readonly ok: false; readonly error: FetchImageError };

/** `name=value` as it came from the command line; with `yaml`, the value is read as YAML, else it is text. */
export interface VarFlag {
  readonly text: string;
  readonly yaml?: boolean;
}

/**
 * What flags give, as one map: `a.b=x` and `a.c=y` make `{a: {b: x, c: y}}`, and the later of two flags wins.
 * Errors: `FI_USAGE`, which never shows a value.
 */
export function parseVarFlags(flags: readonly VarFlag[]): VarValues {
  let values: JsonObject = {};
  for (const { text, yaml = false } of flags) {
    const equals = text.indexOf("=");
    const name = equals === -1 ? text : text.slice(0, equals);
    const reference = parseVarReference(name);
    if (equals < 1 || reference === undefined || reference.source !== undefined) {
      const shown = equals === -1 ? "a var" : showText(name);
      return refused(`${shown} is not of the form name=value`, "Write --var name=value; a.b=value sets a field.");
    }
    const written = text.slice(equals + 1);
    const parsed = yaml ? parseYaml(written) : undefined;
    if (parsed !== undefined && "problems" in parsed) {
      return refused(`the value of ${showText(name)} is not YAML: ${parsed.problems[0]?.says}`);
    }
    const value = parsed === undefined ? written : toJson(parsed.root);
    values = merged(values, [reference.path, ...reference.fields], value);
  }
  return { ok: true, values };
}

/** A file of vars: one map. Errors: `FI_PIPELINE_INVALID` with `file:line:column`. */
export function parseVarsFile(text: string, { file }: { readonly file: string }): VarValues {
  const source = { file, lineStarts: lineStartsOf(text) };
  const parsed = parseYaml(text);
  if ("problems" in parsed) return { ok: false, error: pipelineError(parsed.problems, source) };
  const values = toJson(parsed.root);
  if (values === null) return { ok: true, values: {} };
  if (typeof values === "object" && !isList(values)) return { ok: true, values };
  const says = "a file of vars must be a map";
  return {
    ok: false,
    error: pipelineError([{ at: parsed.root.at, path: "", says, hint: "Write `name: value`." }], source),
  };
}

function merged(values: JsonObject, [name = "", ...fields]: readonly string[], value: Json): JsonObject {
  const before = Object.hasOwn(values, name) ? values[name] : undefined;
  const inner = typeof before === "object" && before !== null && !isList(before) ? before : {};
  return { ...values, [name]: fields.length === 0 ? value : merged(inner, fields, value) };
}

function refused(message: string, hint?: string): VarValues {
  return { ok: false, error: new FetchImageError("FI_USAGE", { message, ...(hint === undefined ? {} : { hint }) }) };
}
