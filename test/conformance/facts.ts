import { createHash, randomUUID } from "node:crypto";
import type { FetchImageErrorCode, JsonObject, NewFact, RecordedFact } from "@fetch-image/core";
import { FetchImageError } from "@fetch-image/core";
import { expect } from "vitest";

/** A fact with an id that nobody else has. */
export function aFact(data: JsonObject = {}, type = "ImageCheck"): NewFact {
  return { id: randomUUID(), type, data, metadata: { schema: 1, $correlationId: "123" } };
}

export function someFacts(count: number): readonly NewFact[] {
  return Array.from({ length: count }, (_, index) => aFact({ index }));
}

/** The same id for the same words, as the engine makes them. */
export function namedFact(...words: readonly (string | number)[]): NewFact {
  const hex = createHash("sha256").update(words.join("/")).digest("hex");
  const id = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
  return { ...aFact({ words: words.map(String) }), id };
}

/** What was given, of what came back. */
export function given(facts: readonly RecordedFact[]): NewFact[] {
  return facts.map(({ id, type, data, metadata }) => ({ id, type, data, metadata }));
}

export function idsOf(facts: readonly { readonly id: string }[]): string[] {
  return facts.map(({ id }) => id);
}

/** The error's code, or "fulfilled" where there was none. */
export async function codeOf(work: Promise<unknown>): Promise<FetchImageErrorCode | "fulfilled"> {
  return (await errorOf(work))?.code ?? "fulfilled";
}

/** The error that the work rejects with, which must be one of ours. */
export async function errorOf(work: Promise<unknown>): Promise<FetchImageError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (!FetchImageError.is(error)) throw error;
    expect(error.message).not.toBe("");
    return error;
  }
}
