// The part of core that needs no library, for programs that must start fast: the main entry loads zod, xstate, yaml
// and re2js with it.
export type { Json, JsonObject } from "./json.ts";
export { catalogue, type ErrorEntry, type FetchImageErrorCode } from "./errors/catalogue.ts";
export { FetchImageError, type FetchImageErrorOptions } from "./errors/fetch-image-error.ts";
export { parseReference } from "./image/reference.ts";
export { showText } from "./image/show-text.ts";
export { visible } from "./build-log/visible.ts";
export { didYouMean } from "./source/did-you-mean.ts";
export { parseGoDuration } from "./plan/go-duration.ts";
export { parseImageRules } from "./policy/parse-image-rules.ts";
export type { Logger } from "./ports/logger.ts";
