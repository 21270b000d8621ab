import { FetchImageError, type FetchState, type ImageSpec, stateName } from "@fetch-image/core/fetching";
import { toError } from "./failure.ts";

/** What a finished fetch returns, or rejects with. */
export function outcomeOf(
  state: FetchState,
): { readonly ok: true; readonly imageSpec: ImageSpec } | { readonly ok: false; readonly error: FetchImageError } {
  const { request, artifact } = state.snapshot.context;
  const { privileged, type } = request;
  switch (stateName(state)) {
    case "short-circuited":
      return { ok: true, imageSpec: { privileged, ...(state.imageURL === null ? {} : { imageURL: state.imageURL }) } };
    case "fetched":
      return {
        ok: true,
        imageSpec: {
          privileged,
          resourceType: type,
          ...(artifact === null ? {} : { imageArtifact: { handle: artifact } }),
        },
      };
    case "aborted":
      return { ok: false, error: new FetchImageError("FI_ABORTED", { details: { fetch: request.fetchId } }) };
    default:
      return {
        ok: false,
        error: state.failure === null ? new FetchImageError("FI_INTERNAL") : toError(state.failure),
      };
  }
}
