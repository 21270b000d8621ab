/** A JSON object from outside; what its fields hold is still unknown. */
export type JsonBody = { readonly [field: string]: unknown };

export function isJsonBody(value: unknown): value is JsonBody {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The text, UTF-8 where it comes as bytes, as a JSON object; undefined when it is none. */
export function parseJsonBody(text: string | Uint8Array): JsonBody | undefined {
  try {
    const body: unknown = JSON.parse(typeof text === "string" ? text : Buffer.from(text).toString("utf8"));
    return isJsonBody(body) ? body : undefined;
  } catch {
    return undefined;
  }
}
