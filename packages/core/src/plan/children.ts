import type { CheckPlan, GetPlan, Plan, TypeImage } from "./plan.ts";

const hookKinds = ["on_success", "on_failure", "on_abort", "on_error", "ensure"] as const;
export type HookKind = (typeof hookKinds)[number];

/** A hook's plan taken apart; undefined for a plan that is no hook. */
export function hookOf(plan: Plan): { readonly kind: HookKind; readonly step: Plan; readonly hook: Plan } | undefined {
  for (const kind of hookKinds) {
    // Each body has its second plan under the hook's own name.
    const body: { readonly step: Plan; readonly [hook: string]: Plan } | undefined = plan[kind];
    const hook = body?.[kind];
    if (body !== undefined && hook !== undefined) return { kind, step: body.step, hook };
  }
  return undefined;
}

/** The steps directly inside a plan, in the order in which they run; none for a get, a put, a check or a task. */
export function stepsOf(plan: Plan): readonly Plan[] {
  if (plan.do !== undefined) return plan.do;
  if (plan.in_parallel !== undefined) return plan.in_parallel.steps;
  if (plan.retry !== undefined) return plan.retry;
  if (plan.across !== undefined) return plan.across.steps.map(({ step }) => step);
  const wrapped = plan.try ?? plan.timeout;
  if (wrapped !== undefined) return [wrapped.step];
  const hooked = hookOf(plan);
  return hooked === undefined ? [] : [hooked.step, hooked.hook];
}

/** The plan with each step directly inside it replaced, in the order of `stepsOf`. */
export function mapSteps(plan: Plan, change: (step: Plan) => Plan): Plan {
  if (plan.do !== undefined) return { ...plan, do: plan.do.map(change) };
  if (plan.retry !== undefined) return { ...plan, retry: plan.retry.map(change) };
  const { in_parallel: parallel, across, try: tried, timeout } = plan;
  if (parallel !== undefined) return { ...plan, in_parallel: { ...parallel, steps: parallel.steps.map(change) } };
  if (across !== undefined) {
    const steps = across.steps.map(({ step, values }) => ({ step: change(step), values }));
    return { ...plan, across: { ...across, steps } };
  }
  if (tried !== undefined) return { ...plan, try: { step: change(tried.step) } };
  if (timeout !== undefined) return { ...plan, timeout: { ...timeout, step: change(timeout.step) } };
  const hooked = hookOf(plan);
  if (hooked === undefined) return plan;
  const step = change(hooked.step);
  return { ...plan, ...hookPlan(hooked.kind, step, change(hooked.hook)) };
}

/** The body of a hook. */
export function hookPlan(kind: HookKind, step: Plan, hook: Plan): Omit<Plan, "id"> {
  return { [kind]: { step, [kind]: hook } };
}

/** How many plans there are in a plan, itself and those that fetch images with it. */
export function countPlans(plan: Plan): number {
  const body = plan.get ?? plan.put ?? plan.check;
  const inner = [...stepsOf(plan), ...(body === undefined ? [] : imagePlansOf(body))];
  return inner.reduce((sum, one) => sum + countPlans(one), 1);
}

/** The sub-plans that fetch the image of the step's own type: the check first, if it has one, then the get. */
export function imagePlansOf({
  image_check_plan: check,
  image_get_plan: get,
}: TypeImage): readonly (CheckPlan | GetPlan)[] {
  return [check, get].filter((plan) => plan !== undefined);
}
