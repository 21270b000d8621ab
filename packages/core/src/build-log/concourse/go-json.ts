import type { Json } from "../../json.ts";

/**
 * JSON with the bytes that Go's `encoding/json` gives (Go 1.22 on), which is what Concourse's API sends: fields in the
 * order given, and `<`, `>`, `&`, U+2028 and U+2029 escaped. Texts must be whole UTF-16, as those of facts are.
 */
export function goJson(value: Json): string {
  const json = JSON.stringify(value);
  return escaped.test(json) ? json.replaceAll(everyEscaped, escape) : json;
}

const escaped = /[<>&\u2028\u2029]/;
const everyEscaped = /[<>&\u2028\u2029]/g;

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A map as Go writes it: keys in the order of their bytes in UTF-8. */
export function sortedMap<T>(map: { readonly [key: string]: T }): { readonly [key: string]: T } {
  const entries = Object.entries(map);
  return entries.length < 2 ? map : Object.fromEntries(entries.sort(([a], [b]) => byCodePoint(a, b)));
}

/** Go sorts by bytes, which is the order of code points; JavaScript's own order is by UTF-16 units. */
export function byCodePoint(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  for (let at = 0; at < left.length && at < right.length; at++) {
    const difference = (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
