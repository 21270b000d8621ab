import {
  buildStream,
  decodeBuildFact,
  FetchImageError,
  isBuildFact,
  type Logger,
  newerPart,
  type RecordedBuildFact,
  type Replayed,
  replayBuild,
  showText,
  type UnknownFact,
} from "@fetch-image/core";
import type { Stores } from "./open-stores.ts";

/** The facts of a build's stream, in order. Throws `FI_BUILD_UNKNOWN`, naming builds that there are. */
export async function buildFacts(
  stores: Stores,
  build: string,
  options: { readonly limit?: number } = {},
): Promise<readonly (RecordedBuildFact | UnknownFact)[]> {
  const recorded = await stores.eventLog.read(buildStream(build), options);
  if (recorded.length === 0) throw await buildUnknown(stores, build);
  return recorded.map((fact) => decodeBuildFact(fact).fact);
}

/**
 * What each fact did, by its revision. Facts of a newer version are passed over with a warning, and where others cannot be
 * followed without them, so are those. Throws `FI_HISTORY_CONTRADICTORY` where that is not the reason.
 */
export function replayAsFar(
  facts: readonly (RecordedBuildFact | UnknownFact)[],
  logger: Logger,
): ReadonlyMap<bigint, Replayed> {
  const replayed = new Map<bigint, Replayed>();
  const newer = facts.find((fact) => newerPart(fact) !== undefined);
  if (newer !== undefined) {
    const { stream, revision, type } = newer;
    const fields = { stream, revision: String(revision), type };
    logger.warn("facts of a newer version are passed over, and states that follow from them are not shown", fields);
  }
  try {
    replayBuild(facts.filter(isBuildFact), (one) => replayed.set(one.fact.revision, one));
  } catch (error) {
    if (newer === undefined || !FetchImageError.is(error) || error.code !== "FI_HISTORY_CONTRADICTORY") throw error;
  }
  return replayed;
}

/** Names builds that there are. */
export async function buildUnknown({ readModel, where }: Stores, build: string): Promise<FetchImageError> {
  if ((await readModel.build(build)) !== undefined) {
    return new FetchImageError("FI_BUILD_UNKNOWN", {
      message: `the facts of build ${showText(build)} were removed from ${where}`,
      hint: `fetch-image why ${build} tells what it ran; fetch-image restore --from DIR brings its facts back from an archive.`,
      details: { build },
    });
  }
  const newest = await readModel.builds({ limit: 10 });
  const names = newest.map(({ buildId }) => buildId).join(", ");
  return new FetchImageError("FI_BUILD_UNKNOWN", {
    message: `there is no build ${showText(build)} in ${where}`,
    hint:
      newest.length === 0
        ? "It has no builds yet: `fetch-image run PIPELINE.yml` makes one. Check --data or --database-url."
        : `The newest builds are ${names}. Check --data or --database-url.`,
    details: { build: showText(build).slice(1, -1) },
  });
}
