import { fetchImagePlan } from "@fetch-image/core/fetching";
import type { FetchTaskImageRequest } from "./build-api.ts";
import type { FetchImageRequest } from "./request.ts";

/** What a task's step asks of its build: the check and the get of its `image_resource`, announced in the build log. */
export function taskImageRequest(request: FetchTaskImageRequest): FetchImageRequest {
  const { stepId, imageResource, resourceTypes, privileged, tags, skipInterval, signal, secrets } = request;
  const { traceparent, tracestate } = request;
  const { getPlan, checkPlan } = fetchImagePlan(stepId, { ...imageResource, name: "image" }, resourceTypes, {
    ...(tags === undefined ? {} : { stepTags: tags }),
    ...(skipInterval === undefined ? {} : { skipInterval }),
  });
  return {
    getPlan,
    ...(checkPlan === undefined ? {} : { checkPlan }),
    privileged,
    announce: true,
    ...(signal === undefined ? {} : { signal }),
    ...(secrets === undefined ? {} : { secrets }),
    traceparent,
    tracestate,
  };
}
