import type { Json, JsonObject } from "../../json.ts";
import { sortedMap } from "./go-json.ts";

/**
 * A public plan as Concourse's web page needs it, whatever order a store keeps fields in, and nothing in it but what
 * Concourse's own public plans have: no source, no params.
 *
 * The page shows the image of a step only where both its plans stand there. A pinned type has a get plan alone, so its
 * check plan is put beside it: the log has it as skipped.
 */
export function concoursePlan(plan: JsonObject): JsonObject {
  const id = text(plan["id"]);
  for (const [kind, body] of Object.entries(bodies)) {
    const given = plan[kind];
    if (given !== undefined) return { id, [kind]: body(given, id, kind) };
  }
  return { id };
}

/** The image of the step's own type, and where it is fetched for a plan. */
export interface ImagePlans {
  readonly name: string;
  readonly check: JsonObject;
  readonly get: JsonObject;
}

/** The two plans that fetch the image of a plan's own type; undefined where it has none. `plan` is a {@link concoursePlan}. */
export function imagePlansOf(plan: JsonObject): ImagePlans | undefined {
  const body = object(plan["get"] ?? plan["check"] ?? plan["put"] ?? null);
  const [check, get] = [body?.["image_check_plan"], body?.["image_get_plan"]].map((one) => object(one ?? null));
  if (check === undefined || get === undefined) return undefined;
  return { name: text(object(get["get"] ?? null)?.["name"]), check, get };
}

export function planId(plan: JsonObject): string {
  return text(plan["id"]);
}

type Body = (given: Json, id: string, kind: string) => Json;

const step: Body = (given, id) => {
  const body = object(given) ?? {};
  const { resource, version } = body;
  return {
    name: text(body["name"]),
    type: text(body["type"]),
    ...(resource === undefined ? {} : { resource: text(resource) }),
    ...(object(version ?? null) === undefined ? {} : { version: sortedTexts(version ?? null) }),
    ...images(body, id),
  };
};

const check: Body = (given, id) => {
  const body = object(given) ?? {};
  return { name: text(body["name"]), type: text(body["type"]), ...images(body, id) };
};

const wrapper: Body = (given, _id, kind) => {
  const { step: inner, [kind]: hook, duration } = object(given) ?? {};
  return {
    step: planOf(inner),
    ...(hook === undefined ? {} : { [kind]: planOf(hook) }),
    ...(duration === undefined ? {} : { duration: text(duration) }),
  };
};

const steps: Body = (given) => list(given).map(planOf);

const named =
  (...fields: readonly string[]): Body =>
  (given) => {
    const body = object(given) ?? {};
    return Object.fromEntries(fields.flatMap((field) => (body[field] === undefined ? [] : [[field, body[field]]])));
  };

/** By kind of plan, what is public of it (upstream atc/public_plan.go), fields in upstream's order. */
const bodies: { readonly [kind: string]: Body } = {
  get: step,
  put: step,
  check,
  task: named("name", "privileged", "hermetic"),
  set_pipeline: named("name", "team"),
  load_var: named("name"),
  do: steps,
  retry: steps,
  in_parallel: (given) => {
    const { steps: inner, ...rest } = object(given) ?? {};
    return { steps: steps(inner ?? [], "", ""), ...object(named("limit", "fail_fast")(rest, "", "")) };
  },
  across: (given) => {
    const { vars, fail_fast } = object(given) ?? {};
    const names = list(vars ?? []).map((one) => ({ name: text(object(one)?.["name"]) }));
    return { vars: names, ...(fail_fast === undefined ? {} : { fail_fast }) };
  },
  try: wrapper,
  timeout: wrapper,
  on_success: wrapper,
  on_failure: wrapper,
  on_abort: wrapper,
  on_error: wrapper,
  ensure: wrapper,
};

function images(body: JsonObject, id: string): JsonObject {
  const get = object(body["image_get_plan"] ?? null);
  if (get === undefined) return {};
  const given = object(body["image_check_plan"] ?? null) ?? skippedCheck(get, id);
  return { image_get_plan: concoursePlan(get), image_check_plan: concoursePlan(given) };
}

function skippedCheck(get: JsonObject, id: string): JsonObject {
  const { name, type } = object(get["get"] ?? null) ?? {};
  return { id: `${id}/image-check`, check: { name: text(name), type: text(type) } };
}

function planOf(plan: Json | undefined): JsonObject {
  return concoursePlan(object(plan ?? null) ?? {});
}

function sortedTexts(version: Json): JsonObject {
  return sortedMap(Object.fromEntries(Object.entries(object(version) ?? {}).map(([key, value]) => [key, text(value)])));
}

function object(value: Json): JsonObject | undefined {
  return typeof value !== "object" || value === null || isList(value) ? undefined : value;
}

function list(value: Json): readonly Json[] {
  return isList(value) ? value : [];
}

// `Array.isArray` knows nothing of readonly arrays.
function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
