import { varUses } from "../pipeline/interpolate.ts";
import { formatVarReference, parseVarReference } from "../pipeline/var-reference.ts";
import { fromJson } from "../pipeline/yaml-tree.ts";
import { imagePlansOf, stepsOf } from "./children.ts";
import { type BaseTypeDefaults, taskImage } from "./defaults.ts";
import { fetchImagePlan } from "./fetch-image-plan.ts";
import type { CheckPlan, GetPlan, ImageResource, Plan, ResourceType, TaskPlanBody, TypeImage } from "./plan.ts";

interface OfStep {
  /** The plan that runs in the image. */
  readonly stepId: string;
  readonly stepName: string;
}

interface Fetched {
  readonly getPlan: GetPlan;
  readonly checkPlan?: CheckPlan;
  readonly privileged: boolean;
  /** The run-time vars that must have values before the image can be fetched. */
  readonly waitsFor: readonly string[];
}

/** The image of a get's, put's or check's own custom type. `stepId` may itself be a plan that fetches an image. */
export interface TypeImageNeed extends OfStep, Fetched {
  readonly kind: "type";
  readonly stepKind: "get" | "put" | "check";
}

/** The image of a base resource type: the deployment's table has it. */
export interface BaseImageNeed extends OfStep {
  readonly kind: "base";
  /** `task-type`: what checks and gets a task's image, where that is no registry-image. */
  readonly stepKind: "get" | "put" | "check" | "task-type";
  readonly baseType: string;
}

/** A task's `image_resource`, called `image`, its type's defaults and the task's tags in it. */
export interface TaskImageNeed extends OfStep, Fetched {
  readonly kind: "task";
  readonly imageResource: ImageResource;
  readonly resourceTypes: readonly ResourceType[];
  readonly tags: readonly string[];
}

/** A task's `image:`. */
export interface ArtifactImageNeed extends OfStep {
  readonly kind: "artifact";
  readonly artifact: string;
  /** The get or the task that produces it, where an earlier step does. */
  readonly from?: Plan;
  readonly privileged: boolean;
}

/** A task whose config, and so its image, is in a file: `taskImageFromConfig` reads it once its artifact is there. */
export interface FileImageNeed extends OfStep {
  readonly kind: "file";
  readonly configPath: string;
  /** The get or the task that produces the file's artifact, where an earlier step does. */
  readonly from?: Plan;
  readonly resourceTypes: readonly ResourceType[];
  readonly tags: readonly string[];
  readonly privileged: boolean;
}

/** A task's `rootfs_uri`. */
export interface RootfsImageNeed extends OfStep {
  readonly kind: "rootfs";
  readonly rootfsUri: string;
  readonly privileged: boolean;
}

export type ImageNeed =
  TypeImageNeed | BaseImageNeed | TaskImageNeed | ArtifactImageNeed | FileImageNeed | RootfsImageNeed;

export interface ImagesOfOptions {
  readonly baseTypeDefaults?: BaseTypeDefaults;
}

/**
 * Every image that the steps of a plan run in, in the order in which they may run: each attempt, each hook, each
 * sub-step of an across. What the fetch of an image needs comes before it. A fetch whose own type is registry-image
 * needs no image, as nothing of it has to run; of any other base type, its check and get are listed as steps.
 */
export function imagesOf(plan: Plan, options: ImagesOfOptions = {}): readonly ImageNeed[] {
  const needs: ImageNeed[] = [];
  // Later steps see what earlier ones made, whatever stands between them; of one name, the latest.
  const artifacts = new Map<string, Plan>();
  const visit = (step: Plan): void => {
    const { id, get, put, check, task } = step;
    if (get !== undefined) push(needs, stepNeeds({ id, name: get.name, kind: "get" }, get));
    if (put !== undefined) push(needs, stepNeeds({ id, name: put.name, kind: "put" }, put));
    if (check !== undefined) push(needs, stepNeeds({ id, name: check.name, kind: "check" }, check));
    if (task !== undefined) push(needs, taskNeeds(id, task, artifacts, options));
    for (const inner of stepsOf(step)) visit(inner);
    if (get !== undefined) artifacts.set(get.name, step);
    for (const { name } of task?.config?.outputs ?? []) artifacts.set(task?.output_mapping?.[name] ?? name, step);
  };
  visit(plan);
  return needs;
}

function push(needs: ImageNeed[], more: readonly ImageNeed[]): void {
  for (const need of more) needs.push(need);
}

interface NamedStep {
  readonly id: string;
  readonly name: string;
  readonly kind: "get" | "put" | "check";
}

function stepNeeds({ id, name, kind }: NamedStep, body: TypeImage): readonly ImageNeed[] {
  const { image_check_plan: checkPlan, image_get_plan: getPlan, base_type: baseType, privileged } = body;
  const step = { stepId: id, stepName: name, stepKind: kind };
  if (getPlan === undefined) return baseType === undefined ? [] : [{ kind: "base", ...step, baseType }];
  const fetched = { ...fetchedBy(getPlan, checkPlan), privileged: privileged === true };
  return [...imagePlansOf(body).flatMap(fetchNeeds), { kind: "type", ...step, ...fetched }];
}

/** What the check or get of an image needs itself. */
function fetchNeeds(plan: CheckPlan | GetPlan): readonly ImageNeed[] {
  const [kind, body] = plan.check === undefined ? (["get", plan.get] as const) : (["check", plan.check] as const);
  if (body === undefined || (body.image_get_plan === undefined && body.type === "registry-image")) return [];
  return stepNeeds({ id: plan.id, name: body.name, kind }, body);
}

function taskNeeds(
  stepId: string,
  task: TaskPlanBody,
  artifacts: ReadonlyMap<string, Plan>,
  options: ImagesOfOptions,
): readonly ImageNeed[] {
  const { name, privileged, config_path: configPath, config, image: artifact, tags = [] } = task;
  const step = { stepId, stepName: name, privileged };
  const resourceTypes = task.resource_types ?? [];
  const producer = (artifactName: string): { from?: Plan } => {
    const from = artifacts.get(artifactName);
    return from === undefined ? {} : { from };
  };
  if (artifact !== undefined) return [{ kind: "artifact", ...step, artifact, ...producer(artifact) }];
  if (configPath !== undefined) {
    const [holder = ""] = configPath.split("/");
    return [{ kind: "file", ...step, configPath, ...producer(holder), resourceTypes, tags }];
  }
  if (config?.image_resource !== undefined) {
    const imageResource = taskImage(config.image_resource, resourceTypes, { tags, ...options });
    const skipInterval = task.check_skip_interval === true;
    return taskImageNeeds({ ...step, imageResource, resourceTypes, tags, skipInterval });
  }
  return config?.rootfs_uri === undefined ? [] : [{ kind: "rootfs", ...step, rootfsUri: config.rootfs_uri }];
}

/** What a task needs to run in an image resource, the image last. For a task whose config was in a file, too. */
export function taskImageNeeds(
  task: Omit<TaskImageNeed, "kind" | "getPlan" | "checkPlan" | "waitsFor"> & { readonly skipInterval?: boolean },
): readonly ImageNeed[] {
  const { skipInterval = false, ...rest } = task;
  const { imageResource, resourceTypes, tags, stepId, stepName } = rest;
  const { getPlan, checkPlan } = fetchImagePlan(stepId, imageResource, resourceTypes, { stepTags: tags, skipInterval });
  const inner = [checkPlan, getPlan].filter((plan) => plan !== undefined).flatMap(fetchNeeds);
  const ofBase = getPlan.get.image_get_plan === undefined && imageResource.type !== "registry-image";
  const base: readonly ImageNeed[] = ofBase
    ? [{ kind: "base", stepId, stepName, stepKind: "task-type", baseType: imageResource.type }]
    : inner;
  return [...base, { kind: "task", ...rest, ...fetchedBy(getPlan, checkPlan) }];
}

function fetchedBy(getPlan: GetPlan, checkPlan: CheckPlan | undefined): Omit<Fetched, "privileged"> {
  const { source, params = {}, version = {} } = getPlan.get;
  const names = varUses(fromJson([source, params, version], 0)).flatMap(({ name }) => {
    const reference = parseVarReference(name);
    return reference === undefined ? [] : [formatVarReference(reference)];
  });
  const waitsFor = [...new Set(names)].toSorted();
  return { getPlan, ...(checkPlan === undefined ? {} : { checkPlan }), waitsFor };
}
