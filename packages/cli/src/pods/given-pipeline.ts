import { FetchImageError, imagesOf, type JsonObject, type Plan, planJob, showText, stepsOf } from "@fetch-image/core";
import type { CommandContext } from "../command.ts";
import { loadPipeline } from "../pipeline-file.ts";
import type { RecordedBuild } from "./recorded-build.ts";

/** What no fact has of a build's steps, out of the pipeline that it ran. */
export interface GivenPipeline {
  /** In the order of the plan. */
  readonly steps: readonly Plan[];
  /** Of the images that were fetched, by the fetch's id. */
  readonly sources: ReadonlyMap<string, JsonObject>;
  /** Texts that must never stand in a pod. */
  readonly secrets: readonly string[];
}

/**
 * Plans the build's job again. Throws `FI_PIPELINE_DIFFERS` where a step of the build is another one there, and as
 * `loadPipeline` and `planJob` do.
 */
export async function givenPipeline(
  file: string,
  { build, steps: recorded }: RecordedBuild,
  context: Pick<CommandContext, "options" | "settings" | "terminal" | "secrets" | "cwd">,
): Promise<GivenPipeline> {
  const { job } = build;
  const { pipeline, secrets } = await loadPipeline(file, context, {
    job: ({ jobs }) => jobs.find(({ name }) => name === job)?.name,
    missing: "refuse",
  });
  const planned = planJob(pipeline, job ?? "");
  if (!planned.ok) throw planned.error;
  const steps = leavesOf(planned.plan);
  const known = new Map(steps.map((step) => [step.id, nameOf(step)]));
  const differs = recorded.find((step) => known.get(step.id) !== nameOf(step));
  if (differs !== undefined) {
    throw new FetchImageError("FI_PIPELINE_DIFFERS", {
      message: `${file}: plan ${differs.id} is ${known.get(differs.id) ?? "no step"}, and was ${nameOf(differs)} in build ${build.buildId}`,
      details: { build: build.buildId, plan: differs.id },
    });
  }
  const needs = imagesOf(planned.plan);
  const fetched = needs.flatMap((need) => (need.kind === "type" || need.kind === "task" ? [need.getPlan] : []));
  const gets = steps.flatMap((step) => (step.get === undefined ? [] : [{ id: step.id, get: step.get }]));
  return {
    steps,
    sources: new Map([...fetched, ...gets].map(({ id, get }) => [id, get.source])),
    secrets,
  };
}

function leavesOf(plan: Plan): readonly Plan[] {
  const { get, put, check, task } = plan;
  return (get ?? put ?? check ?? task) === undefined ? stepsOf(plan).flatMap(leavesOf) : [plan];
}

/** `task "unit"`. */
function nameOf({ get, put, check, task }: Plan): string {
  const [kind = "", body] = Object.entries({ get, put, check, task }).find(([, found]) => found !== undefined) ?? [];
  return `${kind} ${showText(body?.name ?? "")}`;
}
