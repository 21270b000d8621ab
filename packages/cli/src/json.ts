import type { Json, JsonObject } from "@fetch-image/core";

export function isMap(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
