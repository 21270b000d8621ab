import { goDuration } from "./go-duration.ts";
import { omitEmpty } from "./omit-empty.ts";
import type { CheckPlan, GetPlan, ImageResource, ResourceType, TypeImage } from "./plan.ts";

/** How long what a check found stays good where nothing says otherwise (upstream atc.DefaultCheckInterval). */
export const defaultCheckInterval: string = "1m0s";

export interface FetchImagePlanOptions {
  /** The tags of the step that needs the image: used where the image has none of its own. */
  readonly stepTags?: readonly string[];
  /** Somebody triggered the build by hand: every check below asks, whatever its interval. */
  readonly skipInterval?: boolean;
  /** A Go duration or `never`; one minute where it is left out. */
  readonly checkEvery?: string;
}

/**
 * The two sub-plans that fetch an image for the step `stepId` (upstream atc/config.go, FetchImagePlan): a check, unless
 * the version is given, and a get of what it finds. Where the image's own type is custom, the plans that fetch *its*
 * image stand inside both. `image.source` is used as it is: apply the type's defaults before.
 * An image without a name, as a task's is, is called `image`.
 */
export function fetchImagePlan(
  stepId: string,
  image: ImageResource,
  resourceTypes: readonly ResourceType[],
  options: FetchImagePlanOptions = {},
): { readonly getPlan: GetPlan; readonly checkPlan?: CheckPlan } {
  const { skipInterval = false, checkEvery = defaultCheckInterval } = options;
  const { name = "image", type, source, params, version } = image;
  const tags = image.tags !== undefined && image.tags.length > 0 ? image.tags : (options.stepTags ?? []);
  const imageOf = (planId: string): TypeImage =>
    imageForType(planId, type, resourceTypes, { stepTags: tags, skipInterval });

  const checkId = `${stepId}/image-check`;
  const getId = `${stepId}/image-get`;
  const getPlan: GetPlan = {
    id: getId,
    get: {
      name,
      type,
      source,
      ...imageOf(getId),
      ...(version === undefined ? { version_from: checkId } : { version }),
      ...omitEmpty({ params, tags }),
    },
  };
  if (version !== undefined) return { getPlan };
  const check = { name, type, source, ...imageOf(checkId), interval: goDuration(checkEvery) ?? checkEvery };
  return {
    getPlan,
    checkPlan: { id: checkId, check: { ...check, ...omitEmpty({ skip_interval: skipInterval, tags }) } },
  };
}

/**
 * Where the image of a step's own type comes from (upstream atc/config.go, ImageForType). While a custom type's image is
 * planned, the type itself is out of sight: `{name: registry-image, type: registry-image}` rests on the base type.
 */
export function imageForType(
  planId: string,
  typeName: string,
  resourceTypes: readonly ResourceType[],
  options: FetchImagePlanOptions = {},
): TypeImage {
  const parent = resourceTypes.find(({ name }) => name === typeName);
  if (parent === undefined) return { base_type: typeName };
  const rest = resourceTypes.filter(({ name }) => name !== typeName);
  const { getPlan, checkPlan } = fetchImagePlan(planId, parent, rest, {
    ...options,
    checkEvery: parent.check_every ?? defaultCheckInterval,
  });
  const { base_type: baseType } = getPlan.get;
  return {
    ...(checkPlan === undefined ? {} : { image_check_plan: ofType(checkPlan, typeName) }),
    image_get_plan: getPlan,
    ...omitEmpty({ base_type: baseType, privileged: parent.privileged }),
  };
}

function ofType(checkPlan: CheckPlan, resourceType: string): CheckPlan {
  return { ...checkPlan, check: { ...checkPlan.check, resource_type: resourceType } };
}
