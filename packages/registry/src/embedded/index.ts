export type { AccessRule } from "./access.ts";
export {
  type EmbeddedRegistry,
  type EmbeddedRegistryOptions,
  type PushedImage,
  type RequestCounts,
  type RequestRecord,
  startEmbeddedRegistry,
} from "./embedded-registry.ts";
export type { FaultInjection, Method, PathMatch } from "./faults.ts";
export { type BuiltImage, buildImage, type ImageRecipe, type StoredBlob } from "./image.ts";
