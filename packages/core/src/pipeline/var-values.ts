import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { Json, JsonObject } from "../json.ts";
import type { PipelineVarSource } from "./pipeline.ts";
import { formatVarReference, type VarReference } from "./var-reference.ts";
import { isList } from "./yaml-tree.ts";

/** Where credentials come from: a credential manager. Asked once for each var, all vars at once. */
export interface VarSource {
  /** The value that the whole reference names, fields included (`traverse` follows them). */
  get(reference: VarReference): Promise<{ readonly found: true; readonly value: Json } | { readonly found: false }>;
}

/** The part of a value that the fields lead to; undefined where it has no such part. */
export function traverse(value: Json, fields: readonly string[]): Json | undefined {
  let part: Json | undefined = value;
  for (const name of fields) {
    if (typeof part !== "object" || part === null || isList(part) || !Object.hasOwn(part, name)) return undefined;
    part = part[name];
  }
  return part;
}

/** What the user gave for a var that names no source. */
export function givenValue({ source, path, fields }: VarReference, values: readonly JsonObject[]): Json | undefined {
  if (source !== undefined) return undefined;
  for (const given of values) {
    const value = traverse(given, [path, ...fields]);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Asks for every var at once. `found` is keyed as `formatVarReference` writes them. */
export async function askVarSources(
  references: readonly VarReference[],
  varSources: readonly PipelineVarSource[],
  port: VarSource | undefined,
): Promise<{ readonly found: ReadonlyMap<string, Json> } | { readonly error: FetchImageError }> {
  const found = new Map<string, Json>();
  const failures: { readonly name: string; readonly cause: unknown }[] = [];
  const ask = async (reference: VarReference): Promise<void> => {
    const name = formatVarReference(reference);
    try {
      const ofDummy = dummyValue(reference, varSources);
      const answer = ofDummy ?? (await port?.get(reference));
      if (answer?.found === true) found.set(name, answer.value);
    } catch (cause) {
      failures.push({ name, cause });
    }
  };
  await Promise.all(references.map(ask));
  const [failure] = failures;
  if (failure === undefined) return { found };
  const { name, cause } = failure;
  const error = new FetchImageError("FI_VAR_MISSING", {
    message: `the var source could not be asked for ((${name}))`,
    hint: "See the cause; try again once the credential manager answers.",
    retryable: true,
    details: { vars: failures.map(({ name }) => name).toSorted() },
    cause,
  });
  return { error };
}

/** Concourse's `dummy` credential manager keeps its values in the pipeline itself. */
function dummyValue(
  { source, path, fields }: VarReference,
  varSources: readonly PipelineVarSource[],
): { readonly found: true; readonly value: Json } | { readonly found: false } | undefined {
  const dummy = varSources.find(({ name, type }) => name === source && type === "dummy");
  if (dummy === undefined) return undefined;
  const value = traverse(dummy.config ?? null, ["vars", path, ...fields]);
  return value === undefined ? { found: false } : { found: true, value };
}
