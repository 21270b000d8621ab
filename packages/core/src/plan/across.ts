import type { Json, JsonObject } from "../json.ts";
import { interpolateJson, type VarLookup } from "../pipeline/interpolate.ts";
import { traverse } from "../pipeline/var-values.ts";
import { isList } from "../pipeline/yaml-tree.ts";
import { withAttempt } from "./attempts.ts";
import { countPlans, mapSteps, stepsOf } from "./children.ts";
import type { AcrossPlanBody, CheckPlan, GetPlan, Plan, TypeImage } from "./plan.ts";

/**
 * The plan with the sub-steps of every `across` in it, as Concourse makes them when the step runs (upstream
 * engine/build_step_delegate.go, ConstructAcrossSubsteps): sub-step `i` of plan `id` has the ids `id/i/0`, `id/i/1`…
 * from the outside in. Images keep their step's id: `id/i/0/image-check`. `spend` is told of plans before they are made.
 */
export function withAcrossSteps(plan: Plan, spend: (plans: number) => void): Plan {
  const { across } = plan;
  if (across === undefined) return mapSteps(plan, (step) => withAcrossSteps(step, spend));
  const template = readTemplate(across);
  const lists = across.vars.map(({ values }) => (isList(values) ? values : []));
  spend(lists.reduce((product, list) => product * list.length, countPlans(template)));
  const steps = combinations(lists).map((values, index) => {
    const step = instantiate(template, valuesOf(across, values));
    const placed = renumber(step, `${plan.id}/${index}`);
    return { step: withAcrossSteps(withAttempt(placed, plan.attempts ?? []), spend), values };
  });
  return { ...plan, across: { ...across, steps } };
}

function readTemplate({ substep_template: template }: AcrossPlanBody): Plan {
  const plan: Plan = JSON.parse(template);
  return plan;
}

/** Every way to take one value of each list, the last list varying fastest. */
function combinations(lists: readonly (readonly Json[])[]): readonly (readonly Json[])[] {
  return lists.reduce<readonly (readonly Json[])[]>(
    (before, list) => before.flatMap((values) => list.map((value) => [...values, value])),
    [[]],
  );
}

function valuesOf({ vars }: AcrossPlanBody, values: readonly Json[]): VarLookup {
  return ({ source, path, fields }) => {
    const index = source === "." ? vars.findIndex(({ name }) => name === path) : -1;
    const value = values[index];
    return value === undefined ? undefined : traverse(value, fields);
  };
}

/** The template of an inner across is JSON inside of text: it is taken apart, so that values need no quoting in it. */
function instantiate(template: Plan, lookup: VarLookup): Plan {
  const inner = new Map<string, Plan>();
  const takenOut = replaceTemplates(template, (id, across) => {
    inner.set(id, instantiate(readTemplate(across), lookup));
    return "";
  });
  const json: JsonObject = JSON.parse(JSON.stringify(takenOut));
  const plan: Plan = JSON.parse(JSON.stringify(interpolateJson(json, lookup)));
  return replaceTemplates(plan, (id) => JSON.stringify(inner.get(id)));
}

function replaceTemplates(plan: Plan, template: (id: string, across: AcrossPlanBody) => string): Plan {
  const { id, across } = plan;
  const replaced =
    across === undefined ? plan : { ...plan, across: { ...across, substep_template: template(id, across) } };
  return mapSteps(replaced, (step) => replaceTemplates(step, template));
}

function renumber(plan: Plan, prefix: string): Plan {
  const ids = new Map<string, string>();
  const number = (step: Plan): void => {
    ids.set(step.id, `${prefix}/${ids.size}`);
    for (const inner of stepsOf(step)) number(inner);
  };
  number(plan);
  return rename(plan, (id) => {
    const [step = id, ...image] = id.split("/image-");
    return [ids.get(step) ?? step, ...image].join("/image-");
  });
}

function rename(plan: Plan, idOf: (id: string) => string): Plan {
  const { get, put, check } = plan;
  return {
    ...mapSteps(plan, (step) => rename(step, idOf)),
    id: idOf(plan.id),
    ...(get === undefined ? {} : renameGet(get, idOf)),
    ...(put === undefined ? {} : { put: { ...put, ...renameImage(put, idOf) } }),
    ...(check === undefined ? {} : { check: { ...check, ...renameImage(check, idOf) } }),
  };
}

function renameGet(get: GetPlan["get"], idOf: (id: string) => string): Pick<GetPlan, "get"> {
  const { version_from: from } = get;
  return { get: { ...get, ...renameImage(get, idOf), ...(from === undefined ? {} : { version_from: idOf(from) }) } };
}

function renameImage(image: TypeImage, idOf: (id: string) => string): TypeImage {
  const { image_check_plan: check, image_get_plan: get } = image;
  const checkPlan: CheckPlan | undefined = check && {
    ...check,
    id: idOf(check.id),
    check: { ...check.check, ...renameImage(check.check, idOf) },
  };
  const getPlan: GetPlan | undefined = get && { ...get, id: idOf(get.id), ...renameGet(get.get, idOf) };
  return {
    ...(checkPlan === undefined ? {} : { image_check_plan: checkPlan }),
    ...(getPlan === undefined ? {} : { image_get_plan: getPlan }),
  };
}
