export {
  baseResourceTypeImages,
  type BaseTypeOverrides,
  parseBaseTypeOverrides,
  type ParsedBaseTypeOverrides,
  resolveBaseResourceType,
} from "./base-resource-types.ts";
