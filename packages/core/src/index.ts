export type { Json, JsonObject } from "./json.ts";
export { catalogue, type ErrorEntry, type FetchImageErrorCode } from "./errors/catalogue.ts";
export { FetchImageError, type FetchImageErrorOptions } from "./errors/fetch-image-error.ts";
export { type Digest, isDigest } from "./image/digest.ts";
export { imageURL, referenceOfImageURL } from "./image/image-url.ts";
export { compareRan, type RanVerdict } from "./image/ran-image.ts";
export {
  apiHost,
  formatReference,
  image,
  type ImageReference,
  parseReference,
  type ParsedReference,
  type ReferenceParts,
  withVersion,
} from "./image/reference.ts";
export { cutSecrets, showText } from "./image/show-text.ts";
export { type CheckMode, checkMode } from "./source/check-mode.ts";
export { publicSourceSuffices, sourceHasCredentials } from "./source/credential.ts";
export { didYouMean } from "./source/did-you-mean.ts";
export { publicSource } from "./source/public-source.ts";
export { pullableRepository } from "./source/pullable-repository.ts";
export {
  type ImageVersion,
  type ParsedSource,
  parseRegistryImageSource,
  type RegistryImageSource,
} from "./source/registry-image-source.ts";
export { credentialProof } from "./source/credential-proof.ts";
export { type Scope, scopeOf } from "./source/scope.ts";
export { secretsOf } from "./source/secrets-of.ts";
export { type SourceField, sourceFields } from "./source/source-fields.ts";
export { defaultBaseTypes } from "./pipeline/check-names.ts";
export { type ParsedPipeline, parsePipeline, type ParsePipelineOptions } from "./pipeline/parse-pipeline.ts";
export type { Pipeline, PipelineJob, PipelineResource, PipelineStep, PipelineVarSource } from "./pipeline/pipeline.ts";
export type { PipelineWarning } from "./pipeline/pipeline-error.ts";
export { type ResolvedVars, resolveVars, type ResolveVarsOptions } from "./pipeline/resolve-vars.ts";
export { parseVarFlags, parseVarsFile, type VarFlag, type VarValues } from "./pipeline/var-flags.ts";
export type { VarReference } from "./pipeline/var-reference.ts";
export { traverse, type VarSource } from "./pipeline/var-values.ts";
export { stepsOf } from "./plan/children.ts";
export { type BaseTypeDefaults, taskImage } from "./plan/defaults.ts";
export { type FetchImagePlanOptions, fetchImagePlan, imageForType } from "./plan/fetch-image-plan.ts";
export { goDuration, parseGoDuration } from "./plan/go-duration.ts";
export {
  type ArtifactImageNeed,
  type BaseImageNeed,
  type FileImageNeed,
  type ImageNeed,
  imagesOf,
  type ImagesOfOptions,
  type RootfsImageNeed,
  type TaskImageNeed,
  taskImageNeeds,
  type TypeImageNeed,
} from "./plan/images-of.ts";
export { planCheck, type PlanCheckOptions, planJob, type PlanJobOptions } from "./plan/plan-job.ts";
export { publicPlan } from "./plan/public-plan.ts";
export {
  resolveTaskImage,
  type ResolveTaskImageOptions,
  type TaskImage,
  taskImageFromConfig,
  type TaskImageOptions,
} from "./plan/task-image-from-config.ts";
export type {
  AcrossPlanBody,
  CheckPlan,
  CheckPlanBody,
  ContainerLimits,
  GetPlan,
  GetPlanBody,
  ImageResource,
  Plan,
  PutPlanBody,
  ResourceType,
  TaskConfig,
  TaskPlanBody,
  TypeImage,
  Version,
} from "./plan/plan.ts";
export { allPolicies } from "./policy/all-policies.ts";
export {
  decideByRules,
  type DigestRule,
  type Enforcement,
  type ImageRules,
  imageRulesPolicy,
  type RepositoryRule,
} from "./policy/image-rules.ts";
export { type ParsedImageRules, parseImageRules } from "./policy/parse-image-rules.ts";
export type { ArtifactPusher, ArtifactToPush, PushedArtifact } from "./ports/artifact-pusher.ts";
export type { ArtifactBytes, ArtifactStore } from "./ports/artifact-store.ts";
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
export type {
  CheckOptions,
  ImageRegistry,
  ListedImage,
  RateLimit,
  RegistryCheck,
  Resolution,
  TagCounts,
} from "./ports/image-registry.ts";
export { type Logger, silentLogger } from "./ports/logger.ts";
export type { Policy, PolicyDecision, PolicyQuestion } from "./ports/policy.ts";
export type { PullCredential, PullCredentials } from "./ports/pull-credentials.ts";
export type {
  BuildImageRow,
  BuildRow,
  BuildsQuery,
  ImageFilter,
  ImagePage,
  ObservationFilter,
  ObservationOutcome,
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
  TelemetryContexts,
  TelemetryMeter,
  TelemetryObserver,
  TelemetrySpan,
  TelemetrySpanContext,
  TelemetryTrace,
  TelemetryTracer,
} from "./ports/telemetry.ts";
export { type BuildFactData, buildFactSchemas, type BuildFactType } from "./facts/build-facts.ts";
export { type RegistryFactData, registryFactSchemas, type RegistryFactType } from "./facts/registry-facts.ts";
export { type ShadowFactData, shadowFactSchemas, type ShadowFactType } from "./facts/shadow-facts.ts";
export { type ScopeFactData, scopeFactSchemas, type ScopeFactType } from "./facts/scope-facts.ts";
export {
  type Asker,
  type BuildFact,
  buildNumbersStream,
  buildStream,
  buildStreamPrefix,
  type CheckEvidence,
  type FactMetadata,
  type FactOf,
  type Failure,
  type FetchRequest,
  machineVersion,
  type Recorded,
  type RecordedBuildFact,
  type RecordedRegistryFact,
  type RecordedScopeFact,
  type RecordedShadowFact,
  type RegistryFact,
  registryStream,
  registryStreamPrefix,
  type Rejected,
  rendererVersion,
  type ResolvedVia,
  schemaVersion,
  type TraceContext,
  type ScopeFact,
  scopeStream,
  scopeStreamPrefix,
  type ShadowFact,
  shadowStream,
  shadowStreamPrefix,
  type UnknownFact,
  streamPrefixes,
} from "./facts/facts.ts";
export { decodeBuildFact, decodeRegistryFact, decodeScopeFact, decodeShadowFact } from "./facts/decode.ts";
export {
  buildFactToStore,
  type FactContext,
  registryFactToStore,
  scopeFactToStore,
  shadowFactToStore,
} from "./facts/envelope.ts";
export { newerPart } from "./facts/newer.ts";
export { formatTime, parseTime } from "./facts/time.ts";
export { nameUuid } from "./facts/uuid.ts";
export { type FetchContext, fetchImageMachine, type FetchInputType } from "./fetch-image/machine.ts";
export { toMachineEvent } from "./fetch-image/codec.ts";
export { machineDefinition } from "./fetch-image/definition.ts";
export type { FetchInput, FetchSnapshot, FetchStateName, TimerName } from "./fetch-image/codec.ts";
export { type ChosenVersion, resolveVersion, type VersionCandidates } from "./fetch-image/resolve-version.ts";
export {
  begin,
  type FetchEffect,
  type FetchOutput,
  type FetchState,
  isFinished,
  stateName,
  step,
  type Step,
} from "./fetch-image/step.ts";
export {
  type BuildState,
  noBuild,
  ranKey,
  type Replayed,
  replayBuild,
  type SavedEvents,
} from "./fetch-image/replay.ts";
export {
  explainImage,
  explainVersion,
  type ResolvedVersion,
  type VersionCandidate,
  type VersionExplanation,
} from "./build-log/explain.ts";
export { followSetbacks, type SetbackFollower } from "./build-log/follow-setbacks.ts";
export { followBuildLog, type TextFollower } from "./build-log/follow-text.ts";
export { renderExplanation } from "./build-log/render-explanation.ts";
export { renderFact, type RenderFactOptions } from "./build-log/render-fact.ts";
export type { RenderOptions } from "./build-log/paint.ts";
export { renderRan } from "./build-log/render-ran.ts";
export { type LogRenderer, renderBuildLog, renderers } from "./build-log/render-text.ts";
export { concourseEvents, isConcourseEvent, type ReadEvent, readEvent } from "./build-log/concourse/catalogue.ts";
export {
  advanceLog,
  advanceStream,
  type ConcourseLog,
  concourseRenderers,
  type FactRenderer,
  noLog,
  renderConcourseLog,
} from "./build-log/concourse/concourse-log.ts";
export type {
  BuildStatus,
  ConcourseEvent,
  ConcourseEventData,
  ConcourseEventName,
  EventMetadata,
  EventOrigin,
  EventTaskConfig,
  SchedulerEvent,
} from "./build-log/concourse/events.ts";
export { goJson } from "./build-log/concourse/go-json.ts";
export { concoursePlan } from "./build-log/concourse/plan.ts";
export { sseEnd, sseEvent } from "./build-log/concourse/sse.ts";
export { visible } from "./build-log/visible.ts";
export { decodeFact, type DecodedFact, isBuildFact, isScopeFact } from "./projections/decode-fact.ts";
export { planSteps } from "./projections/plan-steps.ts";
export { projectFacts } from "./projections/read-model.ts";
export { type BackOff, backOffMs } from "./scope/back-off.ts";
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
export { duration } from "./scope/duration.ts";
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
  evolveScopeFor,
  sameAsker,
  type ScopeObservation,
  type ScopeOutline,
  type ScopeRateLimit,
  type ScopeState,
  unknownScope,
} from "./scope/scope-state.ts";
export {
  explainDifference,
  type Explanation,
  type Look,
  type LookAt,
  type Looks,
  type Ours,
  type Seen,
  shadowClasses,
  type ShadowClass,
  type Theirs,
} from "./shadow/explain-difference.ts";
export { type ShadowDifference, type ShadowReport, ShadowTally } from "./shadow/tally.ts";
export { renderShadowReport } from "./shadow/render-report.ts";
export { defaultShadowRule, type ShadowRule, type ShadowVerdict, shadowVerdict } from "./shadow/verdict.ts";
export type { Comparator } from "./version/comparator.ts";
export {
  type ConstraintAlternative,
  formatVersionConstraint,
  type ParsedVersionConstraint,
  parseVersionConstraint,
  satisfiesConstraint,
  type VersionConstraint,
} from "./version/constraint.ts";
export type {
  CheckStep,
  RecalledDigest,
  RepositoryFacts,
  TaggedDigest,
  VersionCursor,
  WantedVersions,
} from "./version/check-step.ts";
export { type CheckState, nextCheckStep } from "./version/pick-versions.ts";
export {
  compareSemanticVersions,
  formatSemanticVersion,
  type ParsedSemanticVersion,
  parseSemanticVersion,
  type SemanticVersion,
} from "./version/semver.ts";
export { type CompiledTagRegex, compileTagRegex, type TagRegex } from "./version/tag-regex.ts";
export { type ParsedVersionRule, versionRule, type VersionRule, type VersionSource } from "./version/version-rule.ts";
export { secretCutter } from "./pipeline/pipeline-secrets.ts";
