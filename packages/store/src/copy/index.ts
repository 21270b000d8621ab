export { copyEvents, type CopyEventsOptions, type CopyProgress, type CopySummary } from "./copy-events.ts";
