export { type AccessOptions, isLoopback } from "./access.ts";
export { factJson } from "./facts/serve-facts.ts";
export type { FetchesPage } from "./fetches/list-fetches.ts";
export type { FetchSummary } from "./fetches/fetch-summary.ts";
export { createInspector, type Inspector, type InspectorOptions } from "./inspector.ts";
export type { RegistryAnswer } from "./registries/registry-answer.ts";
export { createReadApi, type ReadApi, type ReadApiOptions } from "./read-api.ts";
export type { LogChunk, LogCursor } from "./events/log-chunks.ts";
export { createLogSource, type LogSource } from "./events/log-source.ts";
