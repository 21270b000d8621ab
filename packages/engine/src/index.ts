export type {
  AuditAsOf,
  AuditFetch,
  AuditHistory,
  AuditImage,
  AuditMove,
  AuditObservation,
  AuditPage,
  AuditReason,
  AuditScope,
  AuditStay,
  AuditVersion,
  RerunImage,
  RerunPlan,
} from "./audit/answers.ts";
export { type Audit, type AuditOptions, type BuildsQuestion, createAudit } from "./audit/audit.ts";
export { csvLine, looksLikeFormula } from "./audit/csv.ts";
export type { DriftQuery } from "./audit/drift.ts";
export { exportColumns, type ExportRow, type ExportTable } from "./audit/export-rows.ts";
export { requireAll, type RerunVerdict, verifyRerun } from "./audit/rerun.ts";
export { askedTime } from "./audit/questions.ts";
export type { StatementOptions } from "./audit/statement.ts";
export type { ArtifactImageRequest } from "./artifact-images.ts";
export type { BuildEvent } from "./build-events.ts";
export type { Build, FetchTaskImageRequest, OpenBuildOptions } from "./build-api.ts";
export { type Closed, type CloseOptions, createFetchImageEngine, type FetchImageEngine } from "./engine.ts";
export { toError, toFailure } from "./failure.ts";
export type { FetchLeft } from "./flights.ts";
export type { Health, HealthOptions, Unanswered } from "./health.ts";
export {
  defaultSettings,
  type EngineOptions,
  type EngineSettings,
  type ScopeRule,
  type ScopeSettings,
} from "./options.ts";
export type { ProjectionLag } from "./projection-lag.ts";
export { createProjector, type ProjectionProgress, type Projector, type ProjectorOptions } from "./projector.ts";
export { redactor } from "./redact.ts";
export { type RegistryKey, registryKeyOf } from "./registry-key.ts";
export type { RanImageReport } from "./ran-images.ts";
export type { FetchImageRequest } from "./request.ts";
export { logSeal } from "./seal-log.ts";
export { type Scanned, SecretScanner } from "./secret-scanner.ts";
export type { TraceHeaders } from "./trace-context.ts";
export { newIncarnation, nodeHash, systemClock } from "./system.ts";
export type { FetchSummary } from "./stored-fetch.ts";
export { createShadow } from "./shadow/create-shadow.ts";
export type {
  Compared,
  Comparison,
  Shadow,
  ShadowActual,
  ShadowCounts,
  ShadowOptions,
  ShadowQuestion,
} from "./shadow/shadow-api.ts";
export { shadowReport, type ShadowReportOptions } from "./shadow/shadow-report.ts";
