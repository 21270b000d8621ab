// The part of core that an engine and an event store need: facts and what is folded from them, the machine, plans and ports.
// It leaves the reader of pipelines, and yaml with it, alone, so that a scheduler starts fast; the main entry loads all.
export type { Json, JsonObject } from "./json.ts";
export { catalogue, type FetchImageErrorCode } from "./errors/catalogue.ts";
export { FetchImageError } from "./errors/fetch-image-error.ts";
export { type Digest, isDigest } from "./image/digest.ts";
export { imageURL } from "./image/image-url.ts";
export { compareRan, type RanVerdict } from "./image/ran-image.ts";
export { formatReference, parseReference, withVersion } from "./image/reference.ts";
export { showText } from "./image/show-text.ts";
export { checkMode } from "./source/check-mode.ts";
export { publicSourceSuffices } from "./source/credential.ts";
export { publicSource } from "./source/public-source.ts";
export { pullableRepository } from "./source/pullable-repository.ts";
export { parseRegistryImageSource, type RegistryImageSource } from "./source/registry-image-source.ts";
export { credentialProof } from "./source/credential-proof.ts";
export { scopeOf } from "./source/scope.ts";
export { secretsOf } from "./source/secrets-of.ts";
export { fetchImagePlan } from "./plan/fetch-image-plan.ts";
export { parseGoDuration } from "./plan/go-duration.ts";
export { publicPlan } from "./plan/public-plan.ts";
export type { CheckPlan, GetPlan, ImageResource, ResourceType, Version } from "./plan/plan.ts";
export type { ArtifactPusher } from "./ports/artifact-pusher.ts";
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
export type { ImageRegistry, RateLimit, RegistryCheck } from "./ports/image-registry.ts";
export { type Logger, silentLogger } from "./ports/logger.ts";
export type { Policy, PolicyQuestion } from "./ports/policy.ts";
export type {
  BuildImageRow,
  BuildRow,
  BuildsQuery,
  ImageFilter,
  ImagePage,
  ObservationFilter,
  ObservationPage,
  ObservationRow,
  ReadModel,
  ReadModelChanges,
  ScopeRow,
  StayRow,
  TimeRange,
  VersionRow,
} from "./ports/read-model.ts";
export type { ImageArtifact, ImageSpec, StepContext, StepRunner } from "./ports/step-runner.ts";
export type {
  Telemetry,
  TelemetryAttributes,
  TelemetryContext,
  TelemetryMeter,
  TelemetrySpan,
  TelemetrySpanContext,
} from "./ports/telemetry.ts";
export type { BuildFactData } from "./facts/build-facts.ts";
export type { ShadowFactData } from "./facts/shadow-facts.ts";
export type { ScopeFactData } from "./facts/scope-facts.ts";
export {
  type Asker,
  type BuildFact,
  buildNumbersStream,
  buildStream,
  buildStreamPrefix,
  type CheckEvidence,
  type Failure,
  type FetchRequest,
  type RecordedBuildFact,
  type RecordedRegistryFact,
  type RecordedScopeFact,
  type RegistryFact,
  registryStream,
  type Rejected,
  rendererVersion,
  type TraceContext,
  type ScopeFact,
  scopeStream,
  scopeStreamPrefix,
  shadowStream,
  streamPrefixes,
} from "./facts/facts.ts";
export { decodeBuildFact, decodeRegistryFact, decodeScopeFact, decodeShadowFact } from "./facts/decode.ts";
export { buildFactToStore, registryFactToStore, scopeFactToStore, shadowFactToStore } from "./facts/envelope.ts";
export { newerPart } from "./facts/newer.ts";
export { formatTime, parseTime } from "./facts/time.ts";
export type { FetchInput } from "./fetch-image/codec.ts";
export {
  begin,
  type FetchEffect,
  type FetchOutput,
  type FetchState,
  isFinished,
  stateName,
  step,
} from "./fetch-image/step.ts";
export { type BuildState, noBuild, ranKey, replayBuild, type SavedEvents } from "./fetch-image/replay.ts";
export { explainImage } from "./build-log/explain.ts";
export { readEvent } from "./build-log/concourse/catalogue.ts";
export { advanceStream, noLog } from "./build-log/concourse/concourse-log.ts";
export type { EventOrigin, SchedulerEvent } from "./build-log/concourse/events.ts";
export { goJson } from "./build-log/concourse/go-json.ts";
export { decodeFact } from "./projections/decode-fact.ts";
export { projectFacts } from "./projections/read-model.ts";
export type { BackOff } from "./scope/back-off.ts";
export {
  type CheckDecision,
  type CheckQuestion,
  decideCheck,
  heldUp,
  type ScopeLimits,
  type Sparing,
  type StaleDecision,
  staleInstead,
  withLastGood,
} from "./scope/decide-check.ts";
export {
  concernsRegistry,
  evolveRegistry,
  healthyRegistry,
  type RegistryFactAt,
  type RegistryHealth,
  registryHealth,
  type RegistryState,
} from "./scope/registry-state.ts";
export {
  evolveOutline,
  evolveScope,
  sameAsker,
  type ScopeOutline,
  type ScopeState,
  unknownScope,
} from "./scope/scope-state.ts";
export {
  explainDifference,
  type Look,
  type LookAt,
  type Looks,
  type Ours,
  type Seen,
  type Theirs,
} from "./shadow/explain-difference.ts";
export { type ShadowReport, ShadowTally } from "./shadow/tally.ts";
export type { ShadowRule } from "./shadow/verdict.ts";
