import {
  type BuildImageRow,
  buildStream,
  decodeBuildFact,
  FetchImageError,
  type Json,
  projectFacts,
  type RecordedBuildFact,
  showText,
  type UnknownFact,
} from "@fetch-image/core";
import type { Stores } from "./compose.ts";
import { isMap } from "./json.ts";

/** The facts of a build's stream, in order. Throws `FI_BUILD_UNKNOWN`, naming builds that there are. */
export async function buildFacts(stores: Stores, build: string): Promise<readonly (RecordedBuildFact | UnknownFact)[]> {
  const recorded = await stores.eventLog.read(buildStream(build));
  if (recorded.length === 0) throw await buildUnknown(stores, build);
  return recorded.map((fact) => decodeBuildFact(fact).fact);
}

/**
 * The images of a build, in the order they were requested: from its facts, which are ahead of the read model; from the
 * read model where the facts are gone. Throws `FI_BUILD_UNKNOWN`.
 */
export async function buildImages(stores: Stores, build: string): Promise<readonly BuildImageRow[]> {
  const recorded = await stores.eventLog.read(buildStream(build));
  if (recorded.length > 0) {
    const decoded = recorded.map((fact) => decodeBuildFact(fact));
    return projectFacts(decoded.flatMap((one) => (one.known ? [one.fact] : []))).images;
  }
  if ((await stores.readModel.build(build)) === undefined) throw await buildUnknown(stores, build);
  return await stores.readModel.imagesOfBuild(build);
}

/** What the steps of the build's plan are called, by plan id: `get pr`. None where the facts are gone. */
export async function stepNames({ eventLog }: Stores, build: string): Promise<ReadonlyMap<string, string>> {
  const [, second] = await eventLog.read(buildStream(build), { limit: 2 });
  const names = new Map<string, string>();
  const left: Json[] = [second?.data ?? null];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (typeof next !== "object" || next === null) continue;
    left.push(...Object.values(next));
    if (!isMap(next) || typeof next["id"] !== "string") continue;
    for (const kind of ["get", "put", "check", "task"]) {
      const body = next[kind];
      if (isMap(body) && typeof body["name"] === "string") names.set(next["id"], `${kind} ${body["name"]}`);
    }
  }
  return names;
}

async function buildUnknown({ readModel, where }: Stores, build: string): Promise<FetchImageError> {
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
