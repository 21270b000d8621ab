import type { CancelSignal } from "@fetch-image/core/fetching";
import { setMaxListeners } from "node:events";

/** A host may have one signal for all fetches of a build: from the 11th on, Node would warn of a leak that is none. */
export function expectMany(signal: CancelSignal | undefined): void {
  if (signal instanceof AbortSignal) setMaxListeners(0, signal);
}
