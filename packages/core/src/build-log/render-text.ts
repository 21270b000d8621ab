import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { RecordedBuildFact, UnknownFact } from "../facts/facts.ts";
import { newerPart } from "../facts/newer.ts";
import { isBuildFact } from "../projections/decode-fact.ts";
import type { RenderOptions } from "./paint.ts";
import { renderLog1 } from "./text-renderer-1.ts";
import { visible } from "./visible.ts";

/** Makes the log of one build, whose first fact is `BuildOpened`. */
export type LogRenderer = (facts: readonly (RecordedBuildFact | UnknownFact)[], options: RenderOptions) => string;

/** By the version that `BuildOpened` keeps. A renderer's output never changes: what is to look different is a new version. */
export const renderers: { readonly [version: string]: LogRenderer } = { "1": renderLog1 };

/**
 * The build log as text, from the facts of the build's stream alone: the same bytes on any node at any time.
 * Times are UTC. Lines are never wrapped; what a terminal would obey in a stored string is spelt out.
 * Empty where there are no facts: there is no such build.
 *
 * Throws `FI_STORE_TOO_NEW` where a newer version's renderer is wanted, or a newer version's facts are needed to follow
 * the others; `FI_HISTORY_CONTRADICTORY` as `replayBuild` does.
 */
export function renderBuildLog(facts: Iterable<RecordedBuildFact | UnknownFact>, options: RenderOptions = {}): string {
  const stored = [...facts];
  const [first] = stored;
  if (first === undefined) return "";
  if (!isBuildFact(first)) throw tooNew(`${first.stream} begins with a ${first.type} of a newer version`);
  // What is not a build's opening is refused, with its place, by the replay.
  const version = first.type === "BuildOpened" ? first.data.renderer : "1";
  const render = Object.hasOwn(renderers, version) ? renderers[version] : undefined;
  if (render === undefined) {
    const known = Object.keys(renderers).join(", ");
    throw tooNew(`${first.stream} keeps its log in the form "${version}", and this version knows ${known}`);
  }
  try {
    return render(stored, options);
  } catch (error) {
    const newer = stored.find((fact) => newerPart(fact) !== undefined);
    if (newer === undefined || !FetchImageError.is(error) || error.code !== "FI_HISTORY_CONTRADICTORY") throw error;
    const which = `${newer.type} at ${newer.stream}@${newer.revision}`;
    throw tooNew(`${which} is of a newer version, and the facts after it cannot be followed without it`, error);
  }
}

// The store's own code: what helps is the same, and whoever handles it needs no second case.
function tooNew(message: string, cause?: unknown): FetchImageError {
  return new FetchImageError("FI_STORE_TOO_NEW", { message: visible(message), cause });
}
