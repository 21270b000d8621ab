import {
  didYouMean,
  FetchImageError,
  type FetchImageErrorOptions,
  type Json,
  type JsonObject,
  showText,
} from "@fetch-image/core/basics";
import { isMap } from "../json.ts";
import { withNumbersAsWritten } from "./number-text.ts";

/** What Concourse writes to a resource's standard input. */
export interface Payload {
  readonly source: JsonObject;
  /** `{tag, digest}` as given; undefined where it is `null` or not there. */
  readonly version: PayloadVersion | undefined;
  /** Empty for a check, which takes none. */
  readonly params: JsonObject;
}

interface PayloadVersion {
  readonly tag?: string;
  readonly digest?: string;
}

export type PayloadField = "source" | "version" | "params";

/** Far more than any source with all its certificates has. */
const mostBytes = 16 * 1024 * 1024;

/**
 * Reads `{"source","version","params"}` as the resource does (upstream types.go, commands/check.go and in.go: one JSON
 * document, fields that are not known refused, `null` for what is not there). Throws `FI_PAYLOAD_INVALID` naming the
 * field; never shows a value.
 */
export async function readPayload(
  input: AsyncIterable<Uint8Array | string>,
  fields: readonly PayloadField[],
): Promise<Payload> {
  const payload = parse(await textOf(input));
  if (!isMap(payload)) throw invalid(`it is ${kindOf(payload)} and no object`, example(fields));
  refuseUnknown("", payload, fields);
  const { source, version, params } = payload;
  if (source === undefined || source === null)
    throw invalid("it has no source", { ...example(fields), field: "source" });
  return {
    source: objectAt("source", source),
    version: version === undefined || version === null ? undefined : versionOf(objectAt("version", version)),
    params: params === undefined || params === null ? {} : objectAt("params", params),
  };
}

async function textOf(input: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    length += bytes.length;
    if (length > mostBytes) throw invalid(`it is longer than ${mostBytes / 1024 ** 2} MiB`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(text: string): Json {
  if (text.trim() === "") throw invalid("it is empty", example(["source", "version"]));
  try {
    return withNumbersAsWritten(text, "tag");
  } catch (error) {
    // V8 quotes what it stumbles over, which may be a secret.
    const [, position] = /at position (\d+)/.exec(error instanceof Error ? error.message : "") ?? [];
    throw invalid(`it is not JSON${position === undefined ? "" : ` (at character ${Number(position) + 1})`}`);
  }
}

function versionOf(version: JsonObject): PayloadVersion {
  refuseUnknown("version.", version, ["tag", "digest"]);
  const given = Object.entries(version).filter(([, value]) => value !== null);
  for (const [name, value] of given) {
    if (typeof value === "string") continue;
    throw invalid(`version.${name} is ${kindOf(value)} and no string`, { field: `version.${name}` });
  }
  return Object.fromEntries(given);
}

function objectAt(field: string, value: Json): JsonObject {
  if (isMap(value)) return value;
  throw invalid(`${field} is ${kindOf(value)} and no object`, { field });
}

/** Throws for a field that is not among the known ones; `parent` is what stands before it, `params.` say. */
function refuseUnknown(parent: string, object: JsonObject, known: readonly string[]): void {
  const unknown = Object.keys(object).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const meant = didYouMean(unknown, known);
  throw invalid(`${showText(`${parent}${unknown}`)} is no field of it`, {
    field: `${parent}${showText(unknown).slice(1, -1)}`,
    hint: meant === undefined ? `Remove it; the fields are ${known.join(", ")}.` : `Did you mean "${meant}"?`,
  });
}

/** `FI_PAYLOAD_INVALID`, worded as the resource words it. */
function invalid(
  problem: string,
  { field, ...options }: FetchImageErrorOptions & { readonly field?: string } = {},
): FetchImageError {
  return new FetchImageError("FI_PAYLOAD_INVALID", {
    message: `invalid payload: ${problem}`,
    ...options,
    details: { field },
  });
}

function example(fields: readonly PayloadField[]): { readonly hint: string } {
  const shapes = { source: "{…}", version: '{"tag","digest"}', params: "{…}" };
  const shape = fields.map((name) => `"${name}":${shapes[name]}`).join(",");
  return { hint: `Write {${shape}} to standard input, as Concourse does.` };
}

function kindOf(value: Json | undefined): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
