import { join, resolve } from "node:path";
import {
  type CheckPlan,
  type FileImageNeed,
  type GetPlan,
  type ImageNeed,
  imagesOf,
  type JsonObject,
  type Plan,
  planCheck,
  resolveTaskImage,
  stepsOf,
  taskImage,
  taskImageNeeds,
} from "@fetch-image/core";
import { type LoadedPipeline, readTextFile } from "../pipeline-file.ts";

/** Something the job's steps run in, and how it becomes known. */
export type Wanted = Step & (Fetch | Built | Base | AsGiven | Later);

interface Step {
  readonly plan: string;
  /** Its name. */
  readonly step: string;
  readonly kind: "get" | "put" | "check" | "task";
  /** The custom or base type whose image it is; none for a task's. */
  readonly resourceType?: string;
}

/** FetchImage resolves or fetches it. */
interface Fetch {
  readonly how: "fetch";
  readonly getPlan: GetPlan;
  readonly checkPlan?: CheckPlan;
  readonly privileged: boolean;
  /** The task delegate announces it in the build log. */
  readonly announce: boolean;
  /** The artifact that a task's `image:` names: its bytes are needed. */
  readonly artifact?: string;
}

/** A task's `image:` names what a step has built, whose files are at hand. */
interface Built {
  readonly how: "built";
  readonly artifact: string;
  readonly directory: string;
  readonly privileged: boolean;
}

/** The deployment's table has it; FetchImage never does. */
interface Base {
  readonly how: "base-type";
  readonly baseType: string;
}

/** A task's `rootfs_uri`. */
interface AsGiven {
  readonly how: "rootfs";
  readonly uri: string;
}

/** Only the running build can know it. */
interface Later {
  readonly how: "later";
  readonly because: string;
}

export interface WantedOptions extends Pick<LoadedPipeline, "pipeline" | "values"> {
  /** Where artifacts' files are on this machine, by artifact. */
  readonly inputs: ReadonlyMap<string, string>;
  readonly cwd: string;
  readonly manual: boolean;
}

export interface WantedImages {
  /** In the order in which the steps may run. */
  readonly wanted: readonly Wanted[];
  /** Of task configs; those of the pipeline are known already. */
  readonly secrets: readonly string[];
}

/** Everything that the plan's steps run in. Throws as `resolveTaskImage` does, and `FI_PIPELINE_UNREADABLE`. */
export async function wantedImages(plan: Plan, options: WantedOptions): Promise<WantedImages> {
  const wanted: Wanted[] = [];
  const secrets: string[] = [];
  for (const need of imagesOf(plan)) {
    if (need.kind !== "file") wanted.push(wantedOf(need, options));
    else wanted.push(...(await ofTaskFile(need, { plan, ...options }, secrets)));
  }
  return { wanted, secrets };
}

function wantedOf(need: Exclude<ImageNeed, FileImageNeed>, options: WantedOptions): Wanted {
  const { stepId: plan, stepName: step } = need;
  if (need.kind === "base") {
    const { stepKind, baseType } = need;
    const kind = stepKind === "task-type" ? "task" : stepKind;
    return { plan, step, kind, resourceType: baseType, how: "base-type", baseType };
  }
  if (need.kind === "type") {
    const { stepKind: kind, getPlan } = need;
    return { plan, step, kind, resourceType: getPlan.get.name, ...fetchOf(need, { announce: false }) };
  }
  const task = { plan, step, kind: "task" } as const;
  if (need.kind === "task") return { ...task, ...fetchOf(need, { announce: true }) };
  if (need.kind === "rootfs") return { ...task, how: "rootfs", uri: need.rootfsUri };
  return { ...task, ...artifactOf(need, options) };
}

type FetchedNeed = Extract<ImageNeed, { kind: "type" | "task" }>;

function fetchOf(
  { getPlan, checkPlan, privileged, waitsFor }: FetchedNeed,
  { announce }: { readonly announce: boolean },
): Fetch | Later {
  if (waitsFor.length > 0) {
    const vars = waitsFor.map((name) => `((${name}))`).join(", ");
    return { how: "later", because: `${vars} has a value only while the build runs` };
  }
  return {
    how: "fetch",
    getPlan,
    ...(checkPlan === undefined ? {} : { checkPlan }),
    privileged,
    announce,
  };
}

/**
 * The image is what an earlier get of a registry-image fetches; its version, where the plan has none, a check finds. What
 * other steps make is taken from where it lies, if that is told.
 */
function artifactOf(
  { artifact, from, privileged }: Extract<ImageNeed, { kind: "artifact" }>,
  { pipeline, manual, inputs, cwd }: WantedOptions,
): Fetch | Built | Later {
  const get = from?.get;
  const directory = inputs.get(artifact);
  if (directory !== undefined && get?.type !== "registry-image") {
    return { how: "built", artifact, directory: resolve(cwd, directory), privileged };
  }
  if (from === undefined || get === undefined) {
    const who = from?.task === undefined ? "no earlier step" : `task ${from.task.name}`;
    const because = `${who} makes the artifact ${artifact}; give its files with --input ${artifact}=DIR`;
    return { how: "later", because };
  }
  if (get.type !== "registry-image") {
    return { how: "later", because: `artifact ${artifact} comes from a get of type ${get.type}, which runs as a step` };
  }
  const getPlan: GetPlan = { ...from, get };
  const fetch = { how: "fetch", getPlan, privileged, announce: false, artifact } as const;
  if (get.version !== undefined) return fetch;
  const planned = planCheck(pipeline, get.resource ?? get.name, { manuallyTriggered: manual });
  if (!planned.ok) throw planned.error;
  // Its type's image is planned with the get, under the get's own ids.
  const { image_check_plan: _check, image_get_plan: _get, ...check } = planned.plan.check;
  return { ...fetch, checkPlan: { id: `${from.id}/image-check`, check } };
}

/** What a task's `file:` asks for, where its artifact's files are at hand. */
async function ofTaskFile(
  need: FileImageNeed,
  options: WantedOptions & { readonly plan: Plan },
  secrets: string[],
): Promise<readonly Wanted[]> {
  const { stepId, stepName, configPath, resourceTypes, tags, privileged } = need;
  const { inputs, cwd, values, pipeline, plan } = options;
  const task = { plan: stepId, step: stepName, kind: "task" } as const;
  const [artifact = "", ...path] = configPath.split("/");
  const directory = inputs.get(artifact);
  if (directory === undefined) {
    const because = `its config is in ${configPath}; give the artifact's files with --input ${artifact}=DIR`;
    return [{ ...task, how: "later", because }];
  }
  const file = join(directory, ...path);
  const config = await resolveTaskImage(await readTextFile(cwd, file), {
    file,
    values,
    varSources: pipeline.varSources,
    vars: taskVars(plan, stepId),
  });
  if (!config.ok) throw config.error;
  secrets.push(...config.secrets);
  const { imageResource, rootfsUri } = config;
  if (imageResource === undefined) return rootfsUri === undefined ? [] : [{ ...task, how: "rootfs", uri: rootfsUri }];
  const image = taskImage(imageResource, resourceTypes, { tags });
  return taskImageNeeds({ stepId, stepName, imageResource: image, resourceTypes, tags, privileged }).flatMap((one) =>
    one.kind === "file" ? [] : [wantedOf(one, options)],
  );
}

/** The `vars` of a task's step, wherever it stands in the plan. */
function taskVars(plan: Plan, stepId: string): JsonObject {
  const left = [plan];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (next.id === stepId && next.task !== undefined) return next.task.vars ?? {};
    for (const step of stepsOf(next)) left.push(step);
  }
  return {};
}
