import type { JsonObject, RegistryImageSource } from "@fetch-image/core";
import { FetchImageError } from "@fetch-image/core/basics";

/** Throws `FI_SOURCE_INVALID` naming the field. */
export async function sourceOf(source: JsonObject): Promise<RegistryImageSource> {
  const { parseRegistryImageSource } = await import("@fetch-image/core/registry-image");
  const parsed = parseRegistryImageSource(source);
  if (!parsed.ok) throw parsed.error;
  return parsed.source;
}

/** Throws `FI_SOURCE_INVALID` and `FI_SOURCE_UNSUPPORTED` where the source's pattern or constraint is none, or too large. */
export async function checkableSourceOf(given: JsonObject): Promise<RegistryImageSource> {
  const source = await sourceOf(given);
  const { versionRule } = await import("@fetch-image/core/registry-image");
  const rule = versionRule(source);
  if (!rule.ok) throw rule.error;
  return source;
}

/** The answer; where the source cannot be answered faithfully here, an error that names what can answer it. */
export async function nativeOnly<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!FetchImageError.is(error) || error.code !== "FI_SOURCE_UNSUPPORTED") throw error;
    throw new FetchImageError(error.code, {
      message: error.message,
      hint: "Use Concourse's own registry-image resource for this source: nothing is guessed here.",
      details: error.details,
      cause: error.cause,
    });
  }
}
