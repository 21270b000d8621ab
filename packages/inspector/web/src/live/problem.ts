import { FetchImageError, visible } from "@fetch-image/core";

/** An error as a reader is told it: what happened, and what helps. */
export function problemText(error: unknown): string {
  if (FetchImageError.is(error)) return visible(`${error.message}. ${error.hint}`);
  return visible(error instanceof Error ? error.message : String(error));
}
