export type { Build, FetchTaskImageRequest, OpenBuildOptions } from "./build-api.ts";
export { createFetchImageEngine, type FetchImageEngine } from "./engine.ts";
export { toError, toFailure } from "./failure.ts";
export { defaultSettings, type EngineOptions, type EngineSettings } from "./options.ts";
export { createProjector, type ProjectionProgress, type Projector, type ProjectorOptions } from "./projector.ts";
export { redactor } from "./redact.ts";
export type { FetchImageRequest } from "./request.ts";
export { newIncarnation, nodeHash, systemClock } from "./system.ts";
export type { FetchSummary } from "./stored-fetch.ts";
