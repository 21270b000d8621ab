import { mapSteps } from "./children.ts";
import type { Plan } from "./plan.ts";

/** The plan as one attempt of the retry around it: it and all of its steps know which (upstream engine/builder). */
export function withAttempt(plan: Plan, outer: readonly number[]): Plan {
  if (outer.length === 0) return plan;
  const { id, attempts = [], ...body } = mapSteps(plan, (step) => withAttempt(step, outer));
  return { id, attempts: [...outer, ...attempts], ...body };
}
