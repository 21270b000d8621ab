import type { Json, JsonObject } from "@fetch-image/core/basics";

export function isMap(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value with each of its texts changed; names stay. A text is changed before it is JSON, which it could break. */
export function mapTexts(value: JsonObject, change: (text: string) => string): JsonObject {
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, changed(inner, change)]));
}

function changed(value: Json, change: (text: string) => string): Json {
  if (typeof value === "string") return change(value);
  if (isMap(value)) return mapTexts(value, change);
  return Array.isArray(value) ? value.map((item: Json) => changed(item, change)) : value;
}
