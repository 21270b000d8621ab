import type { Asker, CheckEvidence, FetchRequest } from "../facts/facts.ts";
import type { Version } from "../plan/plan.ts";
import { duration } from "../scope/duration.ts";
import { byCodePoint } from "./concourse/go-json.ts";

/** `v1.2@sha256:…`, `sha256:…` or `tag v1.2` for an image's version; `ref abc, short a` for another type's, keys sorted. */
export function versionText(version: Version): string {
  const { tag, digest, ...others } = version;
  if (Object.keys(others).length === 0) {
    if (tag !== undefined && digest !== undefined) return `${tag}@${digest}`;
    if (digest !== undefined) return digest;
  }
  const keys = Object.keys(version).sort(byCodePoint);
  return keys.length === 0 ? "(empty)" : keys.map((key) => `${key} ${version[key]}`).join(", ");
}

/** Whose check it was: `this build's 2/image-get`, or `build 7 (2/image-get)`. */
export function askerText(asker: Asker, ownBuild?: string): string {
  return asker.buildId === ownBuild ? `this build's ${asker.fetchId}` : `build ${asker.buildId} (${asker.fetchId})`;
}

/** `76 of 100 requests left per 6h`; undefined where the registry said nothing of a limit. */
export function rateLimitText(rateLimit: CheckEvidence["rateLimit"]): string | undefined {
  const { limit, remaining, windowSeconds } = rateLimit ?? {};
  const per = windowSeconds === undefined ? "" : ` per ${duration(windowSeconds * 1000)}`;
  if (remaining !== undefined) return `${remaining}${limit === undefined ? "" : ` of ${limit}`} requests left${per}`;
  return limit === undefined ? undefined : `a limit of ${limit} requests${per}`;
}

/** `5,000 tags listed, 212 candidates, newest by semver is 2.7.1`; undefined where the source has a tag. */
export function amongText(among: CheckEvidence["among"], { tag = "" }: Version): string | undefined {
  if (among === undefined) return undefined;
  const { by, listed, candidates } = among;
  const found = `${count(listed, "tag")} listed, ${count(candidates, "candidate")}`;
  return tag === "" ? found : `${found}, newest by ${by} is ${tag}`;
}

/**
 * `to spare registry.test, 7 of 100 requests left per 6h`; until when it asked for a pause; how it fails, and until when
 * nobody asks it again; or that it is asked meanwhile.
 */
export function sparingText({ host = "the registry", rateLimit, stale }: CheckEvidence): string {
  const until = stale?.until === undefined ? "" : ` until ${stale.until}`;
  if (stale?.because === "retry-after") return `${host} asked for a pause${until}`;
  if (stale?.because === "revalidating") return "a check runs beside the fetch, for those who come after";
  if (stale?.because === "failing") {
    const { code, message } = stale.error ?? { code: "", message: `${host} fails` };
    return `${message}${code === "" ? "" : ` (${code})`}${until === "" ? "" : `, and nobody asks again${until}`}`;
  }
  const left = rateLimitText(rateLimit);
  return `to spare ${host}${left === undefined ? "" : `, ${left}`}`;
}

/** What was made of the registry where an answer is stale: `nobody was asked again`. */
export function staleText({ stale }: CheckEvidence): string {
  if (stale?.because === "revalidating") return "it is taken at once";
  return stale?.because === "failing" ? "there is no newer answer" : "nobody was asked again";
}

/** `1 tag`, `5,000 tags` */
export function count(number: number, of: string): string {
  return `${String(number).replaceAll(/\B(?=(?:\d{3})+$)/g, ",")} ${of}${number === 1 ? "" : "s"}`;
}

/** Why a fetch gets the image's bytes instead of an ImageURL: every reason there is; none where the kubelet may pull. */
export function physicalReasons(request: FetchRequest): readonly string[] {
  const { native, type, repository, artifactWanted, unsupported } = request;
  return [
    ...(native ? [] : ["nativeImageFetch is off"]),
    ...(type === "registry-image" ? [] : [`the image's type is ${type}, not registry-image`]),
    ...(type === "registry-image" && repository === undefined ? ["the source has no repository"] : []),
    ...(artifactWanted ? ["a later step uses the artifact"] : []),
    ...(unsupported === undefined ? [] : [`source field ${unsupported.field}: ${unsupported.reason}`]),
  ];
}
