import { FetchImageError } from "../errors/fetch-image-error.ts";
import type { Deferred } from "../pipeline/decoder.ts";
import { jobUnknown } from "../pipeline/job-unknown.ts";
import { neededBy } from "../pipeline/needed-by.ts";
import { declaration, type Pipeline } from "../pipeline/pipeline.ts";
import { formatPlace } from "../pipeline/pipeline-error.ts";
import { showText } from "../image/show-text.ts";
import { didYouMean } from "../source/did-you-mean.ts";
import { withAcrossSteps } from "./across.ts";
import { defaultCheckInterval } from "./fetch-image-plan.ts";
import { goDuration } from "./go-duration.ts";
import { omitEmpty } from "./omit-empty.ts";
import type { CheckPlan, Plan, Version } from "./plan.ts";
import { StepPlanner, type StepPlannerOptions } from "./plan-steps.ts";

export type PlanJobOptions = StepPlannerOptions;

export interface PlanCheckOptions extends Pick<
  StepPlannerOptions,
  "idSeed" | "manuallyTriggered" | "baseTypeDefaults"
> {
  /** Somebody asked for this resource only: the images of its type are used while they are fresh. */
  readonly shallow?: boolean;
  readonly fromVersion?: Version;
}

type Planned<Made extends Plan> =
  { readonly ok: true; readonly plan: Made } | { readonly ok: false; readonly error: FetchImageError };

/**
 * The build plan of a job, as Concourse makes it from the same pipeline: its steps in a `do`, inside of the job's hooks.
 * A var that has no value yet stands in it as `((var))`; where it can only be a number or a list, that is
 * `FI_VAR_MISSING`. Other errors: `FI_JOB_UNKNOWN`, `FI_PIPELINE_INVALID` for a plan without bound. Never throws.
 */
export function planJob(pipeline: Pipeline, jobName: string, options: PlanJobOptions = {}): Planned<Plan> {
  const job = pipeline.jobs.find(({ name }) => name === jobName);
  if (job === undefined) return { ok: false, error: jobUnknown(pipeline, jobName) };
  const needs = neededBy(pipeline, jobName);
  const waiting = pipeline[declaration].deferred.filter(({ owner, path }) =>
    owner === undefined ? !/^(?:groups|display|var_sources)/.test(path) : needs(owner),
  );
  if (waiting.length > 0) return { ok: false, error: stillWaiting(waiting, pipeline) };
  return attempt(() => {
    const planner = new StepPlanner(pipeline, options);
    return withAcrossSteps(planner.plan(job.step), (plans) => planner.spend(plans));
  });
}

/**
 * The plan that checks a resource for new versions (upstream db/resource.go, CheckPlan).
 * Errors: `FI_RESOURCE_UNKNOWN`. Never throws.
 */
export function planCheck(
  pipeline: Pipeline,
  resourceName: string,
  options: PlanCheckOptions = {},
): Planned<CheckPlan> {
  if (!pipeline.resources.some(({ name }) => name === resourceName)) {
    return { ok: false, error: resourceUnknown(pipeline, resourceName) };
  }
  return attempt(() => {
    const planner = new StepPlanner(pipeline, options);
    const { name, type, source, tags, check_every, check_timeout: timeout } = planner.resource(resourceName);
    const { manuallyTriggered: skip_interval = false, fromVersion: from_version } = options;
    const interval = check_every === undefined ? defaultCheckInterval : (goDuration(check_every) ?? check_every);
    const id = planner.nextId();
    const image = planner.image(id, type, tags, skip_interval && options.shallow !== true);
    const optional = omitEmpty({ from_version, skip_interval, timeout, tags });
    return { id, check: { name, type, resource: name, source, ...image, interval, ...optional } };
  });
}

function attempt<Made extends Plan>(make: () => Made): Planned<Made> {
  try {
    return { ok: true, plan: make() };
  } catch (error) {
    if (FetchImageError.is(error)) return { ok: false, error };
    throw error;
  }
}

function stillWaiting(waiting: readonly Deferred[], { file, ...pipeline }: Pipeline): FetchImageError {
  const { lineStarts } = pipeline[declaration];
  const vars = [...new Set(waiting.flatMap((one) => one.vars))].toSorted();
  const [first] = waiting;
  const place = formatPlace(first?.at ?? 0, { file, lineStarts });
  return new FetchImageError("FI_VAR_MISSING", {
    message: `${place}: ${first?.path} needs the value of ${vars.map((name) => `((${name}))`).join(", ")}`,
    details: { vars },
  });
}

function resourceUnknown({ resources, file }: Pipeline, resource: string): FetchImageError {
  const names = resources.map(({ name }) => name);
  const near = didYouMean(resource, names);
  return new FetchImageError("FI_RESOURCE_UNKNOWN", {
    message: `${file} has no resource ${showText(resource)}`,
    hint: near === undefined ? `It has ${names.slice(0, 20).join(", ")}.` : `Did you mean ${near}?`,
    details: { resource: resource.slice(0, 100), resources: names },
  });
}
