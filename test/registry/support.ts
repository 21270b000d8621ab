import { inspect } from "node:util";
import { FetchImageError, type RegistryImageSource } from "@fetch-image/core";

/** A signal that nobody aborts. */
export const patient: { readonly signal: AbortSignal } = { signal: new AbortController().signal };

/** What the promise rejected with, which must be one of our errors. */
export async function failureOf(promise: Promise<unknown>): Promise<FetchImageError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    if (FetchImageError.is(error)) return error;
    throw error;
  }
  throw new Error(`expected a failure, got ${inspect(value)}`);
}

/** Everything that anybody could read in an error: words, stack, JSON, hidden fields, and the same of all causes. */
export function everyWordOf(error: unknown): string {
  const words: string[] = [];
  for (let next: unknown = error; next instanceof Error; next = next.cause) {
    words.push(next.message, next.stack ?? "", JSON.stringify(next), String(next));
  }
  return [...words, inspect(error, { depth: null, showHidden: true })].join("\n");
}

/** The source of an image at a registry of the test's own. */
export function sourceAt(
  registry: { readonly host: string },
  path: string,
  fields: Partial<RegistryImageSource> = {},
): RegistryImageSource {
  return { repository: `${registry.host}/${path}`, ...fields };
}

/** Short enough for a test, long enough for a busy machine to do real work in. Downloads are tried once. */
export const hasty = {
  timeouts: { connectMs: 400, headersMs: 400, bodyMs: 400, exchangeMs: 1_500, downloadPatienceMs: 1 },
} as const;
