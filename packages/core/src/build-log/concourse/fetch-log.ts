import type { BuildFactData } from "../../facts/build-facts.ts";
import type { FetchRequest } from "../../facts/facts.ts";
import type { Json, JsonObject } from "../../json.ts";
import { visible } from "../visible.ts";
import { versionText } from "../version-text.ts";
import { concoursePlan, type ImagePlans, imagePlansOf, planId } from "./plan.ts";
import type { ConcourseEventName } from "./events.ts";
import { buildEnded, notChecked, notFetched, notNeeded } from "./words.ts";

/** What a fetch says: an event without its time. */
export interface Said {
  readonly event: ConcourseEventName;
  readonly data: JsonObject;
}

/** Where a fetch's sub-steps stand in the log. */
export interface FetchLog {
  readonly request: FetchRequest;
  /** Absent for a task's pinned image, which has no check. */
  readonly checkPlan: JsonObject | undefined;
  readonly getPlan: JsonObject;
  /** The sub-step that is open; null where none is yet, or none any more. */
  readonly open: "check" | "get" | null;
  readonly ended: "succeeded" | "failed" | null;
  readonly getStarted: boolean;
  /** From 1, of the open sub-step. */
  readonly attempt: number;
  readonly resolved: BuildFactData<"ImageVersionResolved"> | null;
}

/** Which fetches the build has asked for, by the id of their get plan. */
export type Requested = { has(fetchId: string): boolean };

export interface FetchStep {
  readonly log: FetchLog;
  readonly says: readonly Said[];
}

export function fetchLog(request: FetchRequest): FetchLog {
  const { kind, checkPlan, getPlan, planId: step, fetchId, name, type } = request;
  const own = { id: fetchId, ...getPlan };
  // A type's image always has a check plan beside its get plan where the page can see it: `concoursePlan`.
  const skipped = kind === "type" ? { id: `${step}/image-check`, check: { name, type } } : undefined;
  const check = checkPlan ?? skipped;
  return {
    request,
    checkPlan: check === undefined ? undefined : concoursePlan(check),
    getPlan: concoursePlan(own),
    open: null,
    ended: null,
    getStarted: false,
    attempt: 1,
    resolved: null,
  };
}

/** The sub-steps are announced: the first begins. A pin of a type has its check behind it at once. */
export function begin(log: FetchLog, requested: Requested): FetchStep {
  const { checkPlan, request } = log;
  if (checkPlan === undefined)
    return { log: { ...log, open: "get" }, says: [said("initialize-get", log.request.fetchId)] };
  const id = planId(checkPlan);
  const initialize = said("initialize-check", id, { name: visible(request.name) });
  const isUnchecked = request.checkPlan === undefined && request.version !== undefined;
  if (!isUnchecked) return { log: { ...log, open: "check" }, says: [initialize] };
  return {
    log: { ...log, open: "get" },
    says: [
      initialize,
      line(id, notChecked),
      ...endOfCheck(log, true, requested),
      said("initialize-get", request.fetchId),
    ],
  };
}

/** Lines under the sub-step that is open. */
export function say(log: FetchLog, ...lines: readonly string[]): FetchStep {
  const id = openId(log);
  return { log, says: id === undefined ? [] : lines.map((text) => line(id, text)) };
}

/** The check gave an answer. */
export function checked(log: FetchLog, text: string, requested: Requested): FetchStep {
  if (log.open !== "check") return say(log, text);
  const says = [
    ...say(log, text).says,
    ...endOfCheck(log, true, requested),
    said("initialize-get", log.request.fetchId),
  ];
  return { log: { ...log, open: "get", attempt: 1 }, says };
}

/** The version is known: the get begins. */
export function resolved(
  log: FetchLog,
  fact: BuildFactData<"ImageVersionResolved">,
  lines: readonly string[],
  requested: Requested,
): FetchStep {
  if (log.ended !== null) return { log, says: [] };
  const closing = log.open === "check" ? [...endOfCheck(log, true, requested)] : [];
  const initialize = log.open === "get" ? [] : [said("initialize-get", log.request.fetchId)];
  const next: FetchLog = { ...log, open: "get", getStarted: true, attempt: 1, resolved: fact };
  return {
    log: next,
    says: [...closing, ...initialize, said("start-get", log.request.fetchId), ...say(next, ...lines).says],
  };
}

export function succeeded(log: FetchLog, text: string, requested: Requested): FetchStep {
  if (log.ended !== null) return { log, says: [] };
  return {
    log: { ...log, open: null, ended: "succeeded" },
    says: [...say(log, text).says, ...endOfGet(log, 0, requested)],
  };
}

/**
 * No image: what is open ends, and a get that was never begun is begun and ended, so that no client takes it for
 * cancelled. With a message the open sub-step is errored, without one it has failed.
 */
export function failed(
  log: FetchLog,
  { lines, message }: { readonly lines: readonly string[]; readonly message?: string },
  requested: Requested,
): FetchStep {
  if (log.ended !== null) return { log, says: [] };
  const id = openId(log) ?? log.request.fetchId;
  const error =
    message === undefined
      ? undefined
      : ({ event: "error", data: { message: visible(message), origin: { id } } } as const);
  const told = [...lines.map((text) => line(id, text)), ...(error === undefined ? [] : [error])];
  const next: FetchLog = { ...log, open: null, ended: "failed" };
  const { fetchId } = log.request;
  if (log.open !== "check") {
    return {
      log: next,
      says: [...told, ...(error === undefined ? endOfGet(log, 1, requested) : nestedOf(log.getPlan, requested))],
    };
  }
  const closing = error === undefined ? endOfCheck(log, false, requested) : nestedOf(log.checkPlan, requested);
  return {
    log: next,
    says: [
      ...told,
      ...closing,
      said("initialize-get", fetchId),
      line(fetchId, notFetched),
      ...endOfGet(log, 1, requested),
    ],
  };
}

/** The build has ended, and nobody waits for the image any more. */
export function cutShort(log: FetchLog, requested: Requested): FetchStep {
  if (log.ended !== null) return { log, says: [] };
  if (log.open !== null) return failed(log, { lines: [buildEnded] }, requested);
  // Announced by nothing yet: there is no sub-step to be ended.
  return { log: { ...log, ended: "failed" }, says: [] };
}

/** What a check or get step printed. A sub-step that has ended is ended once more behind it: output makes it run again. */
export function printed(
  log: FetchLog,
  { planId: id, origin: source, text }: BuildFactData<"OutputWritten">,
): FetchStep {
  const ofCheck = log.checkPlan !== undefined && id === planId(log.checkPlan);
  const own = ofCheck ? id : log.request.fetchId;
  const output: Said = { event: "log", data: { origin: { id: own, source }, payload: text } };
  if (ofCheck && log.open !== "check") return { log, says: [output, finishCheck(log, log.resolved !== null)] };
  if (!ofCheck && log.ended !== null) return { log, says: [output, finishGet(log, log.ended === "succeeded" ? 0 : 1)] };
  return { log, says: [output] };
}

/** What the image is called once its version is known. */
export function imageName({ request, resolved }: FetchLog): string {
  if (resolved === null) return request.name;
  return resolved.reference ?? `${request.name} (${request.type}) ${versionText(resolved.version)}`;
}

function openId({ open, checkPlan, request }: FetchLog): string | undefined {
  if (open === null) return undefined;
  return open === "check" && checkPlan !== undefined ? planId(checkPlan) : request.fetchId;
}

function endOfCheck(log: FetchLog, succeeded: boolean, requested: Requested): readonly Said[] {
  return [...nestedOf(log.checkPlan, requested), finishCheck(log, succeeded)];
}

function endOfGet(log: FetchLog, exitStatus: number, requested: Requested): readonly Said[] {
  return [...nestedOf(log.getPlan, requested), finishGet(log, exitStatus)];
}

function finishCheck({ checkPlan = {} }: FetchLog, succeeded: boolean): Said {
  return said("finish", planId(checkPlan), { succeeded });
}

function finishGet({ request, resolved }: FetchLog, exitStatus: number): Said {
  const repository = resolved?.evidence?.repository ?? request.repository;
  return said("finish-get", request.fetchId, {
    exit_status: exitStatus,
    version: exitStatus === 0 ? (resolved?.version ?? null) : null,
    ...(exitStatus !== 0 || repository === undefined ? {} : { metadata: [{ name: "repository", value: repository }] }),
  });
}

/** Images in which a sub-step would have run and did not: each has its own sub-steps on the page, which end here. */
function nestedOf(plan: JsonObject | undefined, requested: Requested): readonly Said[] {
  const images = plan === undefined ? undefined : imagePlansOf(plan);
  if (images === undefined || requested.has(planId(images.get))) return [];
  return skipped(images, requested);
}

function skipped({ name, check, get }: ImagePlans, requested: Requested): readonly Said[] {
  const [checkId, getId] = [planId(check), planId(get)];
  return [
    said("initialize-check", checkId, { name: visible(name) }),
    line(checkId, notNeeded),
    ...nestedOf(check, requested),
    said("finish", checkId, { succeeded: true }),
    said("initialize-get", getId),
    line(getId, notNeeded),
    ...nestedOf(get, requested),
    said("finish-get", getId, { exit_status: 0, version: null }),
  ];
}

/** Of our own, so that what a terminal would obey in a stored string is spelt out. */
function line(id: string, text: string): Said {
  return { event: "log", data: { origin: { id, source: "stderr" }, payload: `${visible(text)}\n` } };
}

function said(event: ConcourseEventName, id: string, more: { readonly [field: string]: Json } = {}): Said {
  return { event, data: { origin: { id }, ...more } };
}
