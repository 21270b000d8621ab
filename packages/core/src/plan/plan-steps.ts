import { FetchImageError } from "../errors/fetch-image-error.ts";
import { showText } from "../image/show-text.ts";
import type { Pipeline, PipelineResource, PipelineStep } from "../pipeline/pipeline.ts";
import { countPlans, hookPlan, imagePlansOf } from "./children.ts";
import { type BaseTypeDefaults, typesWithDefaults, withDefaults } from "./defaults.ts";
import { imageForType } from "./fetch-image-plan.ts";
import { omitEmpty } from "./omit-empty.ts";
import type { GetPlan, Plan, PutPlanBody, ResourceType, TypeImage, Version } from "./plan.ts";
import { withAttempt } from "./attempts.ts";

export interface StepPlannerOptions {
  /** Plan ids count up from the number after this one, in hex. Upstream seeds with the time in seconds. */
  readonly idSeed?: number;
  /** The version that each resource's gets are to fetch; without one, a get's plan has none. */
  readonly versions?: { readonly [resource: string]: Version };
  /** Somebody asked for the build: every image check asks, whatever its interval. */
  readonly manuallyTriggered?: boolean;
  readonly baseTypeDefaults?: BaseTypeDefaults;
}

/** Far beyond any build that can be run. */
const mostPlans = 50_000;

/**
 * Makes plans of steps as Concourse does (upstream builds/planner.go): an id is drawn when a plan is complete, so inner
 * plans come before outer ones. Throws `FI_PIPELINE_INVALID` where a resource is not there, or the plan has no bound.
 */
export class StepPlanner {
  readonly resourceTypes: readonly ResourceType[];
  readonly #pipeline: Pipeline;
  readonly #options: StepPlannerOptions;
  #lastId: number;
  #plans = 0;

  constructor(pipeline: Pipeline, options: StepPlannerOptions) {
    this.#pipeline = pipeline;
    this.#options = options;
    this.#lastId = options.idSeed ?? 0;
    this.resourceTypes = typesWithDefaults(pipeline.resourceTypes, options.baseTypeDefaults);
  }

  plan(step: PipelineStep): Plan {
    if (step.kind === "get") return this.#get(step);
    if (step.kind === "put") return this.#put(step);
    if (step.kind === "task") return this.#task(step);
    if (step.kind === "retry") return this.#retry(step.step, step.attempts);
    if ("body" in step) return { id: this.nextId(), [step.kind]: step.body };
    if (step.kind === "do" || step.kind === "in_parallel") return this.#steps(step);
    const inner = this.plan(step.step);
    if (step.kind === "try") return { id: this.nextId(), try: { step: inner } };
    if (step.kind === "timeout") return { id: this.nextId(), timeout: { step: inner, duration: step.duration } };
    if (step.kind === "across") return this.#across(inner, step);
    const hook = this.plan(step.hook);
    return { id: this.nextId(), ...hookPlan(step.kind, inner, hook) };
  }

  nextId(): string {
    this.spend(1);
    this.#lastId += 1;
    return this.#lastId.toString(16);
  }

  /** Counts plans against the bound. */
  spend(plans: number): void {
    this.#plans += plans;
    if (this.#plans <= mostPlans) return;
    throw new FetchImageError("FI_PIPELINE_INVALID", {
      message: `${this.#pipeline.file}: the plan has more than ${mostPlans} steps`,
      hint: "Lower `attempts`, or give `across` fewer values.",
    });
  }

  /** The resource, its type's defaults merged into its source. */
  resource(name: string): PipelineResource & { readonly source: NonNullable<PipelineResource["source"]> } {
    const resource = this.#pipeline.resources.find((one) => one.name === name);
    if (resource === undefined) {
      const message = `${this.#pipeline.file}: unknown resource ${showText(name)}`;
      throw new FetchImageError("FI_PIPELINE_INVALID", { message, details: { resource: name.slice(0, 100) } });
    }
    return { ...resource, source: withDefaults(resource, this.resourceTypes, this.#options.baseTypeDefaults) };
  }

  image(planId: string, type: string, stepTags: readonly string[] = [], skipInterval: boolean = false): TypeImage {
    const image = imageForType(planId, type, this.resourceTypes, { stepTags, skipInterval });
    this.spend(imagePlansOf(image).reduce((sum, plan) => sum + countPlans(plan), 0));
    return image;
  }

  #get(step: Extract<PipelineStep, { kind: "get" }>): Plan {
    const { type, source, version: pinned } = this.resource(step.resource);
    const { name, resource, params, tags, timeout } = step;
    const given = this.#options.versions;
    const ofStep = typeof step.version === "object" ? step.version : undefined;
    const version =
      (given !== undefined && Object.hasOwn(given, resource) ? given[resource] : undefined) ?? ofStep ?? pinned;
    const id = this.nextId();
    const image = this.#stepImage(id, type, tags);
    const optional = omitEmpty({ version, params, tags, timeout });
    return { id, get: { name, type, resource, source, ...image, ...optional } };
  }

  /** A put is followed by a get of what it has made, unless it is told otherwise. */
  #put(step: Extract<PipelineStep, { kind: "put" }>): Plan {
    const { type, source, expose_build_created_by } = this.resource(step.resource);
    const { name, resource, params, get_params, inputs, tags, timeout } = step;
    const id = this.nextId();
    const optional = omitEmpty({ params, inputs, tags, timeout, expose_build_created_by });
    const body: PutPlanBody = { name, type, resource, source, ...this.#stepImage(id, type, tags), ...optional };
    const put: Plan = { id, put: body };
    if (step.no_get === true) return put;

    const getId = this.nextId();
    const ofGet = { ...this.#stepImage(getId, type, tags), version_from: id };
    const get: GetPlan = {
      id: getId,
      get: { name, type, resource, source, ...ofGet, ...omitEmpty({ params: get_params, tags, timeout }) },
    };
    return { id: this.nextId(), on_success: { step: put, on_success: get } };
  }

  #task(step: Extract<PipelineStep, { kind: "task" }>): Plan {
    const { kind: _kind, name, privileged = false, hermetic = false, file, config, ...rest } = step;
    const optional = omitEmpty({
      config_path: file,
      config,
      ...rest,
      resource_types: this.resourceTypes,
      check_skip_interval: this.#options.manuallyTriggered,
    });
    return { id: this.nextId(), task: { name, privileged, hermetic, ...optional } };
  }

  #steps(step: Extract<PipelineStep, { kind: "do" } | { kind: "in_parallel" }>): Plan {
    const steps = step.steps.map((inner) => this.plan(inner));
    if (step.kind === "do") return { id: this.nextId(), do: steps };
    const { limit, fail_fast } = step;
    return { id: this.nextId(), in_parallel: { steps, ...omitEmpty({ limit, fail_fast }) } };
  }

  /** The sub-steps are made once the whole plan is there: an inner across belongs to its outer one's sub-steps. */
  #across(template: Plan, { vars, fail_fast }: Extract<PipelineStep, { kind: "across" }>): Plan {
    const body = {
      vars: vars.map(({ var: name, values, max_in_flight }) => ({ name, values, ...omitEmpty({ max_in_flight }) })),
      substep_template: JSON.stringify(template),
      steps: [],
    };
    return { id: this.nextId(), across: { ...body, ...omitEmpty({ fail_fast }) } };
  }

  #retry(step: PipelineStep, attempts: number): Plan {
    const retry: Plan[] = [];
    for (let attempt = 1; attempt <= attempts; attempt++) retry.push(withAttempt(this.plan(step), [attempt]));
    return { id: this.nextId(), retry };
  }

  #stepImage(planId: string, type: string, stepTags: readonly string[] | undefined): TypeImage {
    return this.image(planId, type, stepTags, this.#options.manuallyTriggered);
  }
}
