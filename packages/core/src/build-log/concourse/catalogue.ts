import type { Json, JsonObject } from "../../json.ts";
import { visible } from "../visible.ts";
import type { ConcourseEventName } from "./events.ts";
import { sortedMap } from "./go-json.ts";
import { concoursePlan } from "./plan.ts";

/** A field's value put in order; throws {@link Misfit} where it is none. Undefined leaves the field out. */
type Reader = (value: Json | undefined) => Json | undefined;

interface EventShape {
  readonly version: string;
  /** In the order of upstream's struct; `time` is put in where it stands. */
  readonly fields: readonly (readonly [name: string, read: Reader])[];
}

class Misfit {
  readonly wants: string;

  constructor(wants: string) {
    this.wants = wants;
  }
}

const time: Reader = () => undefined;

const text: Reader = (value) => {
  if (typeof value !== "string") throw new Misfit("must be a text");
  return value.replaceAll(halfPair, "\ufffd");
};

const maybeText: Reader = (value) => (value === undefined ? "" : text(value));

const truth: Reader = (value) => {
  if (typeof value !== "boolean") throw new Misfit("must be true or false");
  return value;
};

const whole: Reader = (value) => {
  if (!Number.isSafeInteger(value)) throw new Misfit("must be a whole number");
  return value;
};

const statuses: ReadonlySet<unknown> = new Set(["started", "succeeded", "failed", "errored", "aborted"]);

const status: Reader = (value) => {
  if (!statuses.has(value)) throw new Misfit("must be started, succeeded, failed, errored or aborted");
  return value;
};

const origin: Reader = (value) => {
  const { id, source, ...others } = object(value, "must be an object with a plan's id");
  if (typeof id !== "string" || id === "") throw new Misfit("must have the id of a plan");
  if (Object.keys(others).length > 0) throw new Misfit("has id and source only");
  if (source === undefined) return { id: text(id) ?? "" };
  if (source !== "stdout" && source !== "stderr") throw new Misfit("must have stdout or stderr for a source");
  return { id: text(id) ?? "", source };
};

const plan: Reader = (value) => {
  const given = object(value, "must be a public plan");
  if (typeof given["id"] !== "string" || given["id"] === "") throw new Misfit("must be a plan with an id");
  return concoursePlan(given);
};

/** Go writes no version as null. */
const version: Reader = (value) => {
  if (value === undefined || value === null) return null;
  const given = object(value, "must be an object of texts");
  return sortedMap(Object.fromEntries(Object.entries(given).map(([key, one]) => [key, text(one) ?? ""])));
};

const metadata: Reader = (value) => {
  if (value === undefined) return undefined;
  const given = list(value, "must be a list of names and values").map((one) => {
    const { name, value: said } = object(one, "must be a list of names and values");
    return { name: text(name) ?? "", value: text(said) ?? "" };
  });
  return given.length === 0 ? undefined : given;
};

const config: Reader = (value) => {
  const { platform, image, run, inputs } = object(value ?? {}, "must be an object");
  const { path, args, dir } = object(run ?? {}, "must have an object for run");
  const words = args === undefined || args === null ? null : list(args, "must have a list for run.args");
  const given = inputs === undefined || inputs === null ? null : list(inputs, "must have a list for inputs");
  return {
    platform: maybeText(platform) ?? "",
    image: maybeText(image) ?? "",
    run: {
      path: maybeText(path) ?? "",
      args: words?.map((word) => text(word) ?? "") ?? null,
      dir: maybeText(dir) ?? "",
    },
    inputs:
      given?.map((one) => {
        const { name, path: at } = object(one, "must have names and paths for inputs");
        return { name: text(name) ?? "", path: maybeText(at) ?? "" };
      }) ?? null,
  };
};

const substeps: Reader = (value) =>
  list(value, "must be a list").map((one) => {
    const { step, values } = object(one, "must be a list of steps and values");
    return { step: plan(step) ?? null, values: list(values, "must have a list of values") };
  });

const of = { origin, time } as const;
const finished = { ...of, exit_status: whole, version, metadata } as const;

function shape(version: string, fields: { readonly [name: string]: Reader }): EventShape {
  return { version, fields: Object.entries(fields) };
}

/**
 * Every event that Concourse's clients know (upstream atc/event/events.go, 8.2): none but these may enter a stream, for
 * `fly` stops at another, and the web page drops whatever came with it.
 */
export const concourseEvents: { readonly [E in ConcourseEventName]: EventShape } = {
  status: shape("1.0", { status, time }),
  log: shape("5.1", { time, origin, payload: text }),
  error: shape("4.1", { message: text, origin, time }),
  initialize: shape("1.0", of),
  start: shape("1.0", of),
  finish: shape("1.0", { ...of, succeeded: truth }),
  "initialize-check": shape("1.0", { ...of, name: text }),
  "initialize-get": shape("2.0", of),
  "start-get": shape("1.0", of),
  "finish-get": shape("5.1", finished),
  "initialize-put": shape("2.0", of),
  "start-put": shape("1.0", of),
  "finish-put": shape("5.1", finished),
  "initialize-task": shape("4.0", { time, origin, config }),
  "start-task": shape("5.0", { time, origin, config }),
  "finish-task": shape("4.0", { time, exit_status: whole, origin }),
  "image-check": shape("1.1", { time, origin, plan }),
  "image-get": shape("1.1", { time, origin, plan }),
  "selected-worker": shape("1.0", { time, origin, selected_worker: text }),
  "waiting-for-worker": shape("1.0", { time, origin }),
  "streaming-volume": shape("1.0", { time, origin, volume: text, source_worker: text, dest_worker: text }),
  "waiting-for-streamed-volume": shape("1.0", { time, origin, volume: text, dest_worker: text }),
  "set-pipeline-changed": shape("1.0", { origin, changed: truth }),
  "across-substeps": shape("1.0", { time, origin, substeps }),
};

export function isConcourseEvent(name: string): name is ConcourseEventName {
  return Object.hasOwn(concourseEvents, name);
}

export type ReadEvent =
  | { readonly ok: true; readonly event: ConcourseEventName; readonly version: string; readonly data: JsonObject }
  /** Which event, which field, and what it must be; a sentence without its end. */
  | { readonly ok: false; readonly problem: string };

/** Checks an event's data, without a time, and puts it in order: what is stored. */
export function readEvent(event: string, data: JsonObject): ReadEvent {
  if (!isConcourseEvent(event)) {
    const known = Object.keys(concourseEvents).join(", ");
    return { ok: false, problem: `Concourse's clients know no event ${JSON.stringify(visible(event))}: ${known}` };
  }
  const { version: of, fields } = concourseEvents[event];
  const stray = Object.keys(data).find((name) => name === "time" || !fields.some(([known]) => known === name));
  if (stray === "time")
    return { ok: false, problem: `${event}.time is not for the caller: the build's writer sets it` };
  if (stray !== undefined) return { ok: false, problem: `${event} has no field ${JSON.stringify(visible(stray))}` };
  const read = readFields(event, data, undefined);
  return typeof read === "string" ? { ok: false, problem: read } : { ok: true, event, version: of, data: read };
}

/** An event's data with its time, whole seconds since the epoch, where upstream has it; what is wrong with it where it is no such. */
export function timedData(event: ConcourseEventName, data: JsonObject, seconds: number): JsonObject | string {
  return readFields(event, data, seconds);
}

function readFields(event: ConcourseEventName, data: JsonObject, seconds: number | undefined): JsonObject | string {
  const read: { [name: string]: Json } = {};
  for (const [name, reader] of concourseEvents[event].fields) {
    try {
      const value = reader === time ? seconds : reader(data[name]);
      if (value !== undefined) read[name] = value;
    } catch (error) {
      if (error instanceof Misfit) return `${event}.${name} ${error.wants}`;
      throw error;
    }
  }
  return read;
}

const halfPair = /\p{Surrogate}/gu;

function object(value: Json | undefined, wants: string): JsonObject {
  if (typeof value !== "object" || value === null || isList(value)) throw new Misfit(wants);
  return value;
}

function list(value: Json | undefined, wants: string): readonly Json[] {
  if (value === undefined || !isList(value)) throw new Misfit(wants);
  return value;
}

// `Array.isArray` knows nothing of readonly arrays.
function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
