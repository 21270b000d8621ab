import type { Json } from "@fetch-image/core/fetching";

/** The value itself, frozen all the way down. */
export function frozen<T extends Json>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const field of Object.values(value)) frozen(field);
  return Object.freeze(value);
}
