import type { ResourceType } from "../plan/plan.ts";
import type { Owner } from "./decoder.ts";
import type { Pipeline, PipelineStep } from "./pipeline.ts";

/**
 * Which parts of the pipeline a job's plan is made of: the job, the resources it gets and puts, their types, the types
 * of its tasks' images, and the types below those. A task whose config is in a file may need any type.
 */
export function neededBy(pipeline: Pipeline, jobName: string): (owner: Owner) => boolean {
  const steps = pipeline.jobs.filter(({ name }) => name === jobName).flatMap(({ step }) => everyStep(step));
  const resourceNames = new Set(steps.flatMap((step) => ("resource" in step ? [step.resource] : [])));
  const resources = pipeline.resources.filter(({ name }) => resourceNames.has(name));
  const tasks = steps.filter((step) => step.kind === "task");
  const roots = tasks.some(({ file }) => file !== undefined)
    ? pipeline.resourceTypes.map(({ name }) => name)
    : [...resources.map(({ type }) => type), ...tasks.flatMap(({ config }) => config?.image_resource?.type ?? [])];
  const types = withTypesBelow(roots, pipeline.resourceTypes);
  return ({ section, name }) => {
    if (section === "jobs") return name === jobName;
    return section === "resources" ? resourceNames.has(name) : types.has(name);
  };
}

/** The step and all inside of it, hooks too, in the order in which they run. */
function everyStep(step: PipelineStep): readonly PipelineStep[] {
  const inner = "steps" in step ? step.steps : "step" in step ? [step.step] : [];
  const hook = "hook" in step ? [step.hook] : [];
  return [step, ...[...inner, ...hook].flatMap(everyStep)];
}

function withTypesBelow(roots: readonly string[], resourceTypes: readonly ResourceType[]): ReadonlySet<string> {
  const below = new Map(resourceTypes.map(({ name, type }) => [name, type]));
  const found = new Set<string>();
  for (const root of roots) {
    for (let next: string | undefined = root; next !== undefined && !found.has(next); next = below.get(next)) {
      found.add(next);
    }
  }
  return found;
}
