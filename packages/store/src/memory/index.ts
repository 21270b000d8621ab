export { createMemoryEventLog } from "./event-log.ts";
export { createMemoryReadModel } from "./read-model.ts";
