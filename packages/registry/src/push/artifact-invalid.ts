import { FetchImageError, showText } from "@fetch-image/core/registry-image";

/** What a step has built is no image: `where` names the file of the artifact, `what` is wrong with it. */
export function artifactInvalid(where: string, what: string, cause?: unknown): FetchImageError {
  return new FetchImageError("FI_ARTIFACT_INVALID", {
    message: `${showText(where)} of the artifact ${what}`,
    details: { file: where.slice(0, 256) },
    cause,
  });
}
