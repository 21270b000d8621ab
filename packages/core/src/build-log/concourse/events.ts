import type { Json, JsonObject } from "../../json.ts";
import type { Version } from "../../plan/plan.ts";

/** An event as it stands in the stream; `data` in the order of fields that Concourse's own has. */
export interface ConcourseEvent {
  /** From 0, without gaps. */
  readonly id: number;
  readonly event: ConcourseEventName;
  readonly version: string;
  readonly data: JsonObject;
}

/** Whose event it is: a plan's id, and for output where it was printed. */
export interface EventOrigin {
  readonly id: string;
  readonly source?: "stdout" | "stderr";
}

export type BuildStatus = "started" | "succeeded" | "failed" | "errored" | "aborted";

export interface EventMetadata {
  readonly name: string;
  readonly value: string;
}

/** What a task is about to run. All of it may be left out, as Concourse does until the task starts. */
export interface EventTaskConfig {
  readonly platform?: string;
  readonly image?: string;
  readonly run?: { readonly path?: string; readonly args?: readonly string[] | null; readonly dir?: string };
  readonly inputs?: readonly { readonly name: string; readonly path?: string }[] | null;
}

interface OfStep {
  readonly origin: EventOrigin;
}

interface Finished extends OfStep {
  readonly exit_status: number;
  readonly version?: Version | null;
  readonly metadata?: readonly EventMetadata[];
}

/** Every event that Concourse's clients know, by name: its data but for the time, which the build's writer sets. */
export interface ConcourseEventData {
  readonly status: { readonly status: BuildStatus };
  readonly log: OfStep & { readonly payload: string };
  readonly error: OfStep & { readonly message: string };
  readonly initialize: OfStep;
  readonly start: OfStep;
  readonly finish: OfStep & { readonly succeeded: boolean };
  readonly "initialize-check": OfStep & { readonly name: string };
  readonly "initialize-get": OfStep;
  readonly "start-get": OfStep;
  readonly "finish-get": Finished;
  readonly "initialize-put": OfStep;
  readonly "start-put": OfStep;
  readonly "finish-put": Finished;
  readonly "initialize-task": OfStep & { readonly config?: EventTaskConfig };
  readonly "start-task": OfStep & { readonly config?: EventTaskConfig };
  readonly "finish-task": OfStep & { readonly exit_status: number };
  /** Only for images that are fetched some other way: `fetchTaskImage` announces its own. */
  readonly "image-check": OfStep & { readonly plan: JsonObject };
  readonly "image-get": OfStep & { readonly plan: JsonObject };
  readonly "selected-worker": OfStep & { readonly selected_worker: string };
  readonly "waiting-for-worker": OfStep;
  readonly "streaming-volume": OfStep & {
    readonly volume: string;
    readonly source_worker: string;
    readonly dest_worker: string;
  };
  readonly "waiting-for-streamed-volume": OfStep & { readonly volume: string; readonly dest_worker: string };
  readonly "set-pipeline-changed": OfStep & { readonly changed: boolean };
  readonly "across-substeps": OfStep & {
    readonly substeps: readonly { readonly step: JsonObject; readonly values: readonly Json[] }[];
  };
}

export type ConcourseEventName = keyof ConcourseEventData;

/** An event for a build's log: one of {@link ConcourseEventData}, by its name. */
export type SchedulerEvent = {
  [E in ConcourseEventName]: { readonly event: E; readonly data: ConcourseEventData[E] };
}[ConcourseEventName];
