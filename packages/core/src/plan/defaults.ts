import type { JsonObject } from "../json.ts";
import type { ImageResource, ResourceType } from "./plan.ts";

/** What a deployment merges under the sources of its base resource types: a registry mirror, say. */
export interface BaseTypeDefaults {
  readonly [type: string]: JsonObject;
}

/** The source with the defaults of its type under it, one level deep (upstream atc.Source.Merge). */
export function withDefaults(
  { type, source }: { readonly type: string; readonly source?: JsonObject },
  resourceTypes: readonly ResourceType[],
  baseTypeDefaults: BaseTypeDefaults = {},
): JsonObject {
  const parent = resourceTypes.find(({ name }) => name === type);
  const ofBase = Object.hasOwn(baseTypeDefaults, type) ? baseTypeDefaults[type] : undefined;
  return { ...(parent === undefined ? ofBase : parent.defaults), ...source };
}

/** Every type with the defaults of its own type merged into its source (upstream db.ResourceTypes.Deserialize). */
export function typesWithDefaults(
  resourceTypes: readonly ResourceType[],
  baseTypeDefaults: BaseTypeDefaults = {},
): readonly ResourceType[] {
  return resourceTypes.map((type) => {
    // A type that overrides the base type it is of rests on that one, not on itself.
    const others = resourceTypes.filter(({ name }) => name !== type.name);
    return { ...type, source: withDefaults(type, others, baseTypeDefaults) };
  });
}

/**
 * A task's image as its fetch is planned (upstream exec/task_step.go and engine/task_delegate.go): called `image`, its
 * type's defaults merged in, the task's tags where it has none.
 */
export function taskImage(
  image: ImageResource,
  resourceTypes: readonly ResourceType[],
  options: { readonly tags?: readonly string[]; readonly baseTypeDefaults?: BaseTypeDefaults } = {},
): ImageResource {
  const tags = image.tags !== undefined && image.tags.length > 0 ? image.tags : (options.tags ?? []);
  const source = withDefaults(image, resourceTypes, options.baseTypeDefaults);
  return { ...image, name: "image", source, ...(tags.length === 0 ? {} : { tags }) };
}
