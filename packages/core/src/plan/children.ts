import type { CheckPlan, GetPlan, Plan, TypeImage } from "./plan.ts";

export const hookKinds = ["on_success", "on_failure", "on_abort", "on_error", "ensure"] as const;
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

/** The sub-plans that fetch the image of the step's own type: the check first, if it has one, then the get. */
export function imagePlansOf({
  image_check_plan: check,
  image_get_plan: get,
}: TypeImage): readonly (CheckPlan | GetPlan)[] {
  return [check, get].filter((plan) => plan !== undefined);
}
