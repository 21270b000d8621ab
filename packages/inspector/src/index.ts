export { isLoopback } from "./access.ts";
export { createReadApi, type ReadApi, type ReadApiOptions } from "./read-api.ts";
export { type LogChunk, type LogCursor, startOfLog } from "./events/log-chunks.ts";
export { createLogSource, type LogSource } from "./events/log-source.ts";
