import type { Json, JsonObject } from "../json.ts";
import { hookOf } from "./children.ts";
import { omitEmpty } from "./omit-empty.ts";
import type { Plan, TypeImage, Version } from "./plan.ts";

/**
 * The part of a plan that everybody may see, as Concourse's API gives it (upstream atc/public_plan.go): names, types and
 * versions, never a source, params, vars or values. The sub-steps of an `across` are not part of it: Concourse
 * announces them when the step runs. `instance_vars`, which upstream shows, are values and are left out too.
 */
export function publicPlan(plan: Plan): JsonObject {
  return { id: plan.id, ...publicBody(plan) };
}

function publicBody(plan: Plan): JsonObject {
  const { get, put, check, task, in_parallel: parallel, across, timeout } = plan;
  if (get !== undefined) return { get: publicStep(get) };
  if (put !== undefined) return { put: publicStep(put) };
  if (check !== undefined) return { check: { name: check.name, type: check.type, ...publicImage(check) } };
  if (task !== undefined) return { task: { name: task.name, privileged: task.privileged, hermetic: task.hermetic } };
  if (plan.set_pipeline !== undefined) {
    return { set_pipeline: { name: named(plan.set_pipeline["name"]), team: named(plan.set_pipeline["team"]) } };
  }
  if (plan.load_var !== undefined) return { load_var: { name: named(plan.load_var["name"]) } };
  if (plan.do !== undefined) return { do: plan.do.map(publicPlan) };
  if (parallel !== undefined) {
    const { limit, fail_fast } = parallel;
    return { in_parallel: { steps: parallel.steps.map(publicPlan), ...omitEmpty({ limit, fail_fast }) } };
  }
  if (across !== undefined) {
    const { vars, fail_fast } = across;
    return { across: { vars: vars.map(({ name }) => ({ name })), ...omitEmpty({ fail_fast }) } };
  }
  if (plan.try !== undefined) return { try: { step: publicPlan(plan.try.step) } };
  if (timeout !== undefined) return { timeout: { step: publicPlan(timeout.step), duration: timeout.duration } };
  if (plan.retry !== undefined) return { retry: plan.retry.map(publicPlan) };
  const hooked = hookOf(plan);
  if (hooked === undefined) return {};
  return { [hooked.kind]: { step: publicPlan(hooked.step), [hooked.kind]: publicPlan(hooked.hook) } };
}

interface Named extends TypeImage {
  readonly name: string;
  readonly type: string;
  readonly resource?: string;
  readonly version?: Version;
}

function publicStep(body: Named): JsonObject {
  const { name, type, resource, version } = body;
  const step: { [field: string]: Json } = { name, type };
  if (resource !== undefined || version !== undefined) Object.assign(step, omitEmpty({ resource, version }));
  return Object.assign(step, publicImage(body));
}

function publicImage({ image_get_plan: getPlan, image_check_plan: checkPlan }: TypeImage): JsonObject {
  if (getPlan === undefined && checkPlan === undefined) return nothing;
  return {
    ...(getPlan === undefined ? {} : { image_get_plan: publicPlan(getPlan) }),
    ...(checkPlan === undefined ? {} : { image_check_plan: publicPlan(checkPlan) }),
  };
}

const nothing: JsonObject = {};

function named(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
