import type { Json, JsonObject } from "../json.ts";

/**
 * What the steps of a plan are, by plan id: `{"2":{"kind":"task","name":"unit"}}`. The sub-plans of images are left out.
 * It takes any plan, since a stored one is what a scheduler gave.
 */
export function planSteps(plan: Json): JsonObject {
  const steps = new Map<string, JsonObject>();
  const left: Json[] = [plan];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (typeof next !== "object" || next === null) continue;
    const fields = Object.entries(next).filter(([name]) => name !== "image_get_plan" && name !== "image_check_plan");
    left.push(...fields.map(([, value]) => value).toReversed());
    const id = "id" in next ? next["id"] : undefined;
    if (typeof id !== "string") continue;
    for (const [kind, body] of fields) {
      const name =
        isStepKind(kind) && typeof body === "object" && body !== null && "name" in body ? body["name"] : null;
      if (typeof name === "string") steps.set(id, { kind, name });
    }
  }
  return Object.fromEntries(steps);
}

function isStepKind(name: string): boolean {
  return name === "get" || name === "put" || name === "check" || name === "task";
}
