import { type BuildImageRow, type BuildRow, FetchImageError, isDigest } from "@fetch-image/core/fetching";
import type { RerunImage, RerunPlan } from "./answers.ts";
import { auditImage, given } from "./images.ts";

/** The same images, none of them asked for: out of what is kept of a build. */
export function rerunPlanOf(build: BuildRow, images: readonly BuildImageRow[]): RerunPlan {
  const { buildId, team, pipeline, job } = build;
  // In the order of the plan; those of one step as they were requested, a type's own type before it.
  const steps = Object.keys(build.steps ?? {});
  const place = ({ plan }: RerunImage): number => {
    const index = steps.indexOf(plan.split("/")[0] ?? "");
    return index === -1 ? steps.length : index;
  };
  const all = images.map((row) => rerunImage(row, build, images)).toSorted((a, b) => place(a) - place(b));
  const repeatable = all.every((image) => image.repeatable);
  return { ...given({ build: buildId, team, pipeline, job }), images: all, repeatable };
}

function rerunImage(row: BuildImageRow, build: BuildRow, images: readonly BuildImageRow[]): RerunImage {
  const image = auditImage(row, build, images);
  const { digest, reference, imageURL, type } = row;
  const because = notRepeatable(row);
  if (because !== undefined) return { ...image, repeatable: false, because };
  if (digest === undefined || !isDigest(digest) || reference === undefined) {
    const what = type === undefined || type === "registry-image" ? "a digest" : `a registry-image, but a ${type}`;
    return { ...image, repeatable: false, because: `it is not known as ${what}, so that nothing names the same bytes` };
  }
  const needs = imageURL === undefined ? "artifact" : "image";
  return { ...image, image: reference, digest, repeatable: true, needs };
}

function notRepeatable({ state = "unfinished" }: BuildImageRow): string | undefined {
  switch (state) {
    case "short-circuited":
    case "fetched":
      return undefined;
    case "failed":
      return "its fetch failed, so that no step ran it";
    case "aborted":
      return "its fetch was aborted, so that no step ran it";
    default:
      return "its fetch has not ended";
  }
}

/** What became of asking for one image's digest. */
export type RerunVerdict = "there" | "gone" | FetchImageError;

/**
 * Asks for each digest once, by `exists`, and tells what came of it for every image that can be repeated. What `exists`
 * rejects with is the verdict: who may not look does not know.
 */
export async function verifyRerun(
  plan: RerunPlan,
  exists: (image: Extract<RerunImage, { repeatable: true }>) => Promise<boolean>,
): Promise<ReadonlyMap<RerunImage, RerunVerdict>> {
  const asked = new Map<string, Promise<RerunVerdict>>();
  const verdicts = new Map<RerunImage, RerunVerdict>();
  const all = plan.images.flatMap((image) => (image.repeatable ? [image] : []));
  const ask = async (image: (typeof all)[number]): Promise<RerunVerdict> => {
    try {
      return (await exists(image)) ? "there" : "gone";
    } catch (error) {
      return FetchImageError.is(error) ? error : new FetchImageError("FI_INTERNAL", { cause: error });
    }
  };
  await Promise.all(
    all.map(async (image) => {
      const key = image.image.replace(/:[^/:@]*@/, "@");
      const asking = asked.get(key) ?? ask(image);
      asked.set(key, asking);
      verdicts.set(image, await asking);
    }),
  );
  return verdicts;
}

/** Throws `FI_DIGEST_GONE` naming every image that is gone, or else the first error of asking. */
export function requireAll(plan: RerunPlan, verdicts: ReadonlyMap<RerunImage, RerunVerdict>): void {
  const gone = [...verdicts].flatMap(([image, verdict]) => (verdict === "gone" ? [image] : []));
  if (gone.length > 0) throw digestGone(plan.build, gone);
  for (const verdict of verdicts.values()) if (FetchImageError.is(verdict)) throw verdict;
}

function digestGone(build: string, gone: readonly RerunImage[]): FetchImageError {
  const names = [...new Set(gone.map(({ image = "" }) => image))];
  const [first = ""] = names;
  const which = names.length === 1 ? `${first} is` : `${names.length} images are gone: ${names.join(", ")} are`;
  return new FetchImageError("FI_DIGEST_GONE", {
    message: `build ${build} cannot be run again: ${which} no longer in the registry`,
    details: { build, images: names, plans: gone.map(({ plan }) => plan) },
  });
}
