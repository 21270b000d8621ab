// What a scheduler does with a job on Kubernetes, as far as images go: plans it, resolves what its steps run in, and makes
// their pods and pull secrets.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type EventLog,
  type ImageNeed,
  imagesOf,
  type ImageSpec,
  type JsonObject,
  parsePipeline,
  parseRegistryImageSource,
  type Plan,
  planCheck,
  planJob,
  resolveVars,
  stepsOf,
} from "@fetch-image/core";
import { type Build, createFetchImageEngine } from "@fetch-image/engine";
import { type BaseTypeOverrides, buildPod, type Pod, pullSecret, type Secret } from "@fetch-image/kubernetes";
import {
  createArtifactPusher,
  createImageRegistry,
  createRegistryImageRunner,
  type OciRegistry,
} from "@fetch-image/registry";
import { createFileArtifactStore } from "@fetch-image/store/filesystem";
import { createMemoryEventLog } from "@fetch-image/store/memory";
import { repository } from "../cli.ts";
import { type Scratch, scratch } from "../scratch.ts";

export interface StepPod {
  readonly kind: "get" | "put" | "check" | "task";
  readonly step: string;
  readonly pod: Pod;
  readonly image: string;
  /** The pull secrets of the build that this image needs. */
  readonly secrets: readonly Secret[];
}

export interface SchedulerOptions {
  readonly values?: JsonObject;
  readonly allowedRealms?: readonly string[];
  readonly baseTypes?: BaseTypeOverrides;
  /** Where built images go. */
  readonly pushTo?: string;
}

export interface Scheduled extends AsyncDisposable {
  readonly pods: readonly StepPod[];
  readonly eventLog: EventLog;
  readonly build: Build;
}

/** Runs an example's only job up to the moment at which the pods would be created. */
export async function schedule(example: string, options: SchedulerOptions = {}): Promise<Scheduled> {
  const files = scratch("scheduler");
  const registry = createImageRegistry({ allowedRealms: options.allowedRealms ?? [] });
  const eventLog = createMemoryEventLog();
  const engine = createFetchImageEngine({
    eventLog,
    registry,
    stepRunner: runnerOf(registry, files),
    ...(options.pushTo === undefined
      ? {}
      : { artifactPusher: createArtifactPusher({ registry, prefix: options.pushTo }) }),
    nativeImageFetch: true,
    soleNode: true,
  });
  const build = await engine.openBuild({ id: "1", team: "main", pipeline: example, job: "unit" });
  const context: Context = { build, registry, baseTypes: options.baseTypes ?? {}, pipeline: example };
  const pods: StepPod[] = [];
  for (const plan of await plansOf(example, options)) pods.push(...(await podsOf(plan, context)));
  return {
    pods,
    eventLog,
    build,
    async [Symbol.asyncDispose]() {
      await engine.close();
      await registry.close();
      files[Symbol.dispose]();
    },
  };
}

function runnerOf(registry: OciRegistry, files: Scratch) {
  const store = createFileArtifactStore({ directory: files.path("artifacts") });
  return createRegistryImageRunner({ registry, store, directory: files.path("gets") });
}

/** The job's own plan, and a check of each of its resources. */
async function plansOf(example: string, { values = {} }: SchedulerOptions): Promise<readonly Plan[]> {
  const file = `examples/${example}.yml`;
  const parsed = parsePipeline(readFileSync(join(repository, file), "utf8"), { file });
  if (!parsed.ok) throw parsed.error;
  const resolved = await resolveVars(parsed.pipeline, { values: [values] });
  if (!resolved.ok) throw resolved.error;
  const { pipeline } = resolved;
  const [job] = pipeline.jobs;
  const planned = planJob(pipeline, job?.name ?? "");
  if (!planned.ok) throw planned.error;
  const checks = pipeline.resources.map(({ name }) => {
    const check = planCheck(pipeline, name);
    if (!check.ok) throw check.error;
    return { ...check.plan, id: `check-${name}` };
  });
  return [planned.plan, ...checks];
}

interface Context {
  readonly build: Build;
  readonly registry: OciRegistry;
  readonly baseTypes: BaseTypeOverrides;
  readonly pipeline: string;
}

async function podsOf(root: Plan, context: Context): Promise<readonly StepPod[]> {
  const plans = new Map(allPlans(root).map((plan) => [plan.id, plan]));
  const pods: StepPod[] = [];
  for (const need of imagesOf(root)) {
    const { spec, source } = await imageFor(need, context);
    const plan = plans.get(need.stepId);
    // An image's own sub-plan is no step: on Kubernetes nothing of it runs, since the registry was asked itself.
    if (plan === undefined) continue;
    const settings = { baseTypes: context.baseTypes, security: "baseline" as const };
    const { pod } = buildPod({ build: { pipeline: context.pipeline, buildId: "1" }, plan, image: spec, settings });
    const secrets = await secretsOf(need.stepId, source, context);
    const kind = plan.get ? "get" : plan.put ? "put" : plan.check ? "check" : "task";
    pods.push({ kind, step: need.stepName, pod, image: pod.spec.containers[0]?.image ?? "", secrets });
  }
  return pods;
}

async function imageFor(
  need: ImageNeed,
  { build }: Context,
): Promise<{ readonly spec: ImageSpec; readonly source?: JsonObject }> {
  switch (need.kind) {
    case "base":
      return { spec: { resourceType: need.baseType, privileged: false } };
    case "type":
    case "task": {
      const { getPlan, checkPlan, privileged } = need;
      const announce = need.kind === "task";
      const plans = { getPlan, ...(checkPlan && { checkPlan }) };
      return { spec: await build.fetchImage({ ...plans, privileged, announce }), source: getPlan.get.source };
    }
    case "artifact": {
      const get = need.from?.get;
      if (get === undefined) throw new Error(`${need.artifact} is no get's`);
      const getPlan = { id: need.from?.id ?? "", get };
      const checkPlan = { id: `${getPlan.id}/check`, check: { name: get.name, type: get.type, source: get.source } };
      await build.fetchImage({ getPlan, checkPlan, privileged: need.privileged, artifact: true });
      const from = { fetchId: getPlan.id };
      const { artifact, privileged, stepId: planId } = need;
      return { spec: await build.resolveArtifactImage({ planId, artifact, from, privileged }), source: get.source };
    }
    default:
      throw new Error(`the examples have no image of kind ${need.kind}`);
  }
}

async function secretsOf(
  of: string,
  source: JsonObject | undefined,
  { registry, pipeline }: Context,
): Promise<readonly Secret[]> {
  const parsed = source && parseRegistryImageSource(source);
  if (!parsed?.ok) return [];
  const { signal } = new AbortController();
  const credentials = await registry.pullCredentials(parsed.source, { signal });
  const build = { pipeline, buildId: "1" };
  return credentials.map((credential) => pullSecret(credential, { build, registry: credential.registry, of }));
}

function allPlans(plan: Plan): readonly Plan[] {
  return [plan, ...stepsOf(plan).flatMap(allPlans)];
}
