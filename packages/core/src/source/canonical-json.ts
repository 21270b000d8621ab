import type { Json } from "../json.ts";

/** JSON with every object's keys in code unit order and no white space: equal values give equal text. */
export function canonicalJson(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(",")}]`;
  let text = "";
  for (const key of sorted(Object.keys(value))) {
    const field = value[key];
    if (field !== undefined) text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${canonicalJson(field)}`;
  }
  return `{${text}}`;
}

/** By code units. Few objects have many keys, and most have them in order. */
function sorted(keys: string[]): readonly string[] {
  const isSorted = keys.every((key, at) => at === 0 || (keys[at - 1] ?? "") < key);
  // Without a comparison of its own, `sort` goes by code units.
  return isSorted ? keys : keys.sort();
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
