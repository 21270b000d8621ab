import { type FetchState, stateName } from "@fetch-image/core";
import type { FetchImageRequest } from "./request.ts";

/** What became of one fetch of a build. */
export interface FetchSummary {
  readonly fetchId: string;
  readonly planId: string;
  readonly name: string;
  readonly type: string;
  readonly state: string;
  /** `domain/path:tag@digest`. */
  readonly reference?: string;
  readonly imageURL?: string;
  readonly artifact?: string;
  readonly version?: { readonly [key: string]: string };
  readonly via?: string;
  readonly pinned?: boolean;
}

/** What a stored request needs to go on by itself: a registry-image without credentials, checked at the registry. */
export function resumable(fetchId: string, { snapshot }: FetchState): FetchImageRequest | undefined {
  const { request } = snapshot.context;
  if (request.credentials || request.checker !== "registry" || !request.native || request.artifactWanted)
    return undefined;
  const { name, type, source, version, privileged, interval, skipInterval } = request;
  const intervals = {
    ...(interval === undefined ? {} : { interval: interval === "never" ? interval : `${interval}ms` }),
    ...(skipInterval === true ? { skip_interval: true } : {}),
  };
  const checkId = request.checkPlan?.["id"];
  return {
    getPlan: { id: fetchId, get: { name, type, source, ...(version === undefined ? {} : { version }) } },
    ...(typeof checkId === "string" ? { checkPlan: { id: checkId, check: { name, type, source, ...intervals } } } : {}),
    privileged,
    announce: request.kind === "task",
  };
}

export function summarize(fetchId: string, state: FetchState): FetchSummary {
  const { request, artifact } = state.snapshot.context;
  const { resolved, imageURL } = state;
  return {
    fetchId,
    planId: request.planId,
    name: request.name,
    type: request.type,
    state: stateName(state),
    ...(resolved?.reference === undefined ? {} : { reference: resolved.reference }),
    ...(imageURL === null ? {} : { imageURL }),
    ...(artifact === null ? {} : { artifact }),
    ...(resolved === null ? {} : { version: resolved.version, via: resolved.via, pinned: resolved.pinned }),
  };
}
