export type { Json, JsonObject } from "./json.ts";
export { catalogue, type ErrorEntry, type FetchImageErrorCode } from "./errors/catalogue.ts";
export { FetchImageError, type FetchImageErrorOptions } from "./errors/fetch-image-error.ts";
export { type Digest, isDigest } from "./image/digest.ts";
export type { ImageVersion, RegistryImageSource } from "./source/registry-image-source.ts";
export type {
  AcrossPlanBody,
  CheckPlan,
  CheckPlanBody,
  GetPlan,
  GetPlanBody,
  ImageResource,
  Plan,
  PutPlanBody,
  ResourceType,
  TaskPlanBody,
  TypeImage,
  Version,
} from "./plan/plan.ts";
export type { ArtifactStore } from "./ports/artifact-store.ts";
export type { CancelSignal } from "./ports/cancel-signal.ts";
export type { Clock } from "./ports/clock.ts";
export type {
  Appended,
  EventFilter,
  EventLog,
  ExpectedRevision,
  NewFact,
  Page,
  Position,
  ReadAllOptions,
  ReadOptions,
  RecordedFact,
  SubscribeOptions,
  SubscriptionMessage,
} from "./ports/event-log.ts";
export type { Hash } from "./ports/hash.ts";
export type { ImageRegistry, RateLimit, Resolution } from "./ports/image-registry.ts";
export { type Logger, silentLogger } from "./ports/logger.ts";
export type { Policy, PolicyDecision, PolicyQuestion } from "./ports/policy.ts";
export type { BuildImageRow, BuildRow, ReadModel, ReadModelChanges, ScopeRow, VersionRow } from "./ports/read-model.ts";
export type { ImageArtifact, StepContext, StepRunner } from "./ports/step-runner.ts";
export type {
  Telemetry,
  TelemetryAttributes,
  TelemetryMeter,
  TelemetrySpan,
  TelemetryTracer,
} from "./ports/telemetry.ts";
