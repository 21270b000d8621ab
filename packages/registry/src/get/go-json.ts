import type { Json } from "@fetch-image/core/registry-image";

/** A document as Go's `json.Encoder` writes it: HTML's characters escaped, a new line at its end. */
export function goJson(document: { readonly [field: string]: Json }): string {
  return `${JSON.stringify(document).replaceAll(/[<>&\u2028\u2029]/g, escaped)}\n`;
}

/** A map as Go writes it. */
export function goMap(map: { readonly [key: string]: string }): string {
  // Not as an object, which has its own order for names that are numbers.
  const fields = inGoOrder(map).map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return `{${fields.join(",").replaceAll(/[<>&\u2028\u2029]/g, escaped)}}\n`;
}

/** The fields in the order in which Go writes a map: by the bytes of their names. */
export function inGoOrder(map: { readonly [key: string]: string }): readonly (readonly [string, string])[] {
  return Object.entries(map).toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
