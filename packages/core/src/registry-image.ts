// The part of core that registries and stores of bytes need: sources, references, versions and ports. It leaves xstate,
// zod and yaml alone, so that a check starts fast; the main entry loads them all.
export type { Json, JsonObject } from "./json.ts";
export type { FetchImageErrorCode } from "./errors/catalogue.ts";
export { FetchImageError } from "./errors/fetch-image-error.ts";
export type { Rejected } from "./facts/facts.ts";
export { type Digest, isDigest } from "./image/digest.ts";
export { apiHost, parseReference, tagError } from "./image/reference.ts";
export { showText } from "./image/show-text.ts";
export { secretCutter } from "./pipeline/pipeline-secrets.ts";
export type { CheckPlan, CheckPlanBody, GetPlan, GetPlanBody, Version } from "./plan/plan.ts";
export type { ArtifactPusher, ArtifactToPush } from "./ports/artifact-pusher.ts";
export type { ArtifactBytes, ArtifactStore } from "./ports/artifact-store.ts";
export type { CancelSignal } from "./ports/cancel-signal.ts";
export type { Clock } from "./ports/clock.ts";
export type { Hash } from "./ports/hash.ts";
export type {
  CheckOptions,
  ImageRegistry,
  ListedImage,
  RateLimit,
  RegistryCheck,
  TagCounts,
} from "./ports/image-registry.ts";
export { type Logger, silentLogger } from "./ports/logger.ts";
export type { PullCredential, PullCredentials } from "./ports/pull-credentials.ts";
export type { StepContext, StepRunner } from "./ports/step-runner.ts";
export { pullableRepository } from "./source/pullable-repository.ts";
export { parseRegistryImageSource, type RegistryImageSource } from "./source/registry-image-source.ts";
export { scopeOf } from "./source/scope.ts";
export { secretsOf } from "./source/secrets-of.ts";
export type { RecalledDigest, RepositoryFacts } from "./version/check-step.ts";
export { nextCheckStep } from "./version/pick-versions.ts";
export { compileTagRegex, type TagRegex } from "./version/tag-regex.ts";
export { versionRule, type VersionRule } from "./version/version-rule.ts";
