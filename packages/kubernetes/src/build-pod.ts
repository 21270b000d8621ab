import {
  type ContainerLimits,
  FetchImageError,
  type ImageSpec,
  parseGoDuration,
  type Plan,
  type TaskConfig,
  type TaskPlanBody,
} from "@fetch-image/core";
import type { EnvVar, Pod, Secret, Toleration, VolumeSource } from "./manifests.ts";
import { podImage, type NodeImageOptions, pullPolicy } from "./node-image.ts";
import { hexOf, type PodIdentity, podName, type StepType } from "./pod-identity.ts";
import { hermeticLabels, podLabels } from "./pod-labels.ts";
import { type PodSecurity, securityContexts } from "./pod-security.ts";
import { resourcesOf } from "./resources.ts";
import { buildEnv, literal, stepEnv } from "./step-env.ts";
import { type StepArtifact, stepFiles, type StepFilesOptions, taskDirectories } from "./step-files.ts";

/** The same for every pod of a deployment. */
export interface PodSettings extends NodeImageOptions {
  readonly namespace?: string;
  readonly serviceAccountName?: string;
  /** Default `restricted`. */
  readonly security?: PodSecurity;
  /** Who runs a `restricted` pod where its step does not say: a user's number. Default 1000. */
  readonly runAsUser?: number;
  /** Concourse's `container_limits` of tasks that have none. */
  readonly defaultLimits?: ContainerLimits;
  /** The longest that a pod may run, in seconds, where its step has no `timeout`. */
  readonly deadlineSeconds?: number;
  readonly nodeSelector?: { readonly [label: string]: string };
  readonly tolerations?: readonly Toleration[];
  /** The address at which people find the build, for gets and puts. */
  readonly externalUrl?: string;
}

/** The build that a step belongs to. */
export type PodBuild = Pick<PodIdentity, "team" | "pipeline" | "job" | "buildId" | "buildName">;

export interface BuildPodOptions {
  readonly build: PodBuild;
  /** A get, a put, a check or a task. */
  readonly plan: Plan;
  readonly image: ImageSpec;
  /** Default: the plan's id. */
  readonly key?: string;
  /** A task's config, where the plan has only the file it is in. */
  readonly config?: TaskConfig;
  /** Texts that are secrets: no value that holds one stands in the pod. */
  readonly secrets?: readonly string[];
  /** The artifacts that a put sees. */
  readonly putInputs?: readonly string[];
  /** Where artifacts' files are; where it has no answer, a directory begins empty. */
  readonly volumeOf?: (artifact: StepArtifact) => VolumeSource | undefined;
  /** Names of pull secrets, in the order in which they are to be tried; the same name twice counts once. */
  readonly imagePullSecrets?: readonly string[];
  readonly settings?: PodSettings;
}

export interface BuiltPod {
  readonly pod: Pod;
  /** What the pod refers to and cannot start without: none, or the one with the values of its secret params. */
  readonly secrets: readonly Secret[];
}

/**
 * The pod that runs a step of a build. A get, put or check runs the resource's own executable, which takes its request on
 * standard input, so that no source ever stands in a pod. A pod that is not privileged keeps the restricted Pod Security
 * Standard. Throws `FI_POD_INVALID`, naming the step and what of it cannot be run; besides what `podImage` throws.
 */
export function buildPod(options: BuildPodOptions): BuiltPod {
  const { build, plan, key = plan.id, image: spec, settings = {}, imagePullSecrets = [] } = options;
  const { namespace, serviceAccountName, nodeSelector, tolerations = [] } = settings;
  const step = stepOf(plan, options);
  const identity: PodIdentity = { ...build, type: step.type, key };
  const name = podName(identity);
  const { labels, annotations } = podLabels(identity, step.name);
  const meta = { ...(namespace === undefined ? {} : { namespace }), annotations };
  const image = podImage(step.name, spec, settings);
  const files = stepFiles({ ...step, step: step.name, ...step.files(identity), volumeOf: options.volumeOf });
  const secretName = `${name}-env`;
  const params = stepEnv({ step: step.name, params: step.params, secrets: options.secrets ?? [], secretName });
  const env = [...step.env(identity, settings), ...params.env];
  const security = securityContexts({
    step: step.name,
    privileged: spec.privileged,
    security: settings.security ?? "restricted",
    user: step.user,
    runAsUser: settings.runAsUser ?? 1000,
  });
  const resources = step.type === "task" ? resourcesOf(step.name, step.limits ?? settings.defaultLimits) : undefined;
  const deadline = deadlineOf(step.timeout) ?? settings.deadlineSeconds;
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, ...meta, labels: { ...labels, ...(step.hermetic ? hermeticLabels : {}) } },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...(serviceAccountName === undefined ? {} : { serviceAccountName }),
      ...(deadline === undefined ? {} : { activeDeadlineSeconds: deadline }),
      ...(imagePullSecrets.length === 0
        ? {}
        : { imagePullSecrets: [...new Set(imagePullSecrets)].map((secret) => ({ name: secret })) }),
      ...(nodeSelector === undefined ? {} : { nodeSelector: { ...nodeSelector } }),
      ...(tolerations.length === 0 ? {} : { tolerations: [...tolerations] }),
      ...(security.pod === undefined ? {} : { securityContext: security.pod }),
      containers: [
        {
          name: "main",
          image,
          imagePullPolicy: pullPolicy(image),
          ...step.process,
          workingDir: files.workingDir,
          ...(env.length === 0 ? {} : { env }),
          ...(resources === undefined ? {} : { resources }),
          volumeMounts: files.mounts,
          ...(security.container === undefined ? {} : { securityContext: security.container }),
        },
      ],
      volumes: files.volumes,
    },
  };
  const data = Object.entries(params.secret).map(([param, value]) => [param, Buffer.from(value).toString("base64")]);
  if (data.length === 0) return { pod, secrets: [] };
  const secret: Secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: secretName, ...meta, labels },
    type: "Opaque",
    data: Object.fromEntries(data),
  };
  return { pod, secrets: [secret] };
}

/** What of a step its pod depends on. */
interface Step {
  readonly type: StepType;
  readonly name: string;
  readonly process: {
    readonly command?: string[];
    readonly args?: string[];
    readonly stdin?: boolean;
    readonly stdinOnce?: boolean;
  };
  readonly params: { readonly [name: string]: string };
  readonly env: (identity: PodIdentity, settings: PodSettings) => EnvVar[];
  readonly files: (identity: PodIdentity) => Pick<StepFilesOptions, "root" | "directories" | "dir">;
  readonly limits?: ContainerLimits;
  readonly user?: string | undefined;
  readonly timeout?: string | undefined;
  readonly hermetic: boolean;
}

function stepOf({ id, get, put, check, task }: Plan, { config, putInputs = [] }: BuildPodOptions): Step {
  if (task !== undefined) return taskStep(task, task.config ?? config);
  // Request and answer go over standard streams: JSON in, JSON out, and what is printed for people on standard error.
  const streams = { stdin: true, stdinOnce: true };
  const resource = { params: {}, hermetic: false, env: metadataEnv };
  if (get !== undefined) {
    const { name, timeout } = get;
    const directories = [{ kind: "resource" as const, name, path: "" }];
    const process = { command: ["/opt/resource/in", getRoot], ...streams };
    return { type: "get", name, ...resource, process, files: () => ({ root: getRoot, directories }), timeout };
  }
  if (put !== undefined) {
    const { name, timeout } = put;
    const directories = putInputs.map((input) => ({ kind: "input" as const, name: input, path: input }));
    const process = { command: ["/opt/resource/out", putRoot], ...streams };
    return { type: "put", name, ...resource, process, files: () => ({ root: putRoot, directories }), timeout };
  }
  if (check !== undefined) {
    const { name, timeout } = check;
    const process = { command: ["/opt/resource/check"], ...streams };
    const files = () => ({ root: checkRoot, directories: [] });
    return { type: "check", name, ...resource, env: () => [], process, files, timeout };
  }
  const message = `plan ${id} is no get, put, check or task: nothing of it runs in a pod`;
  throw new FetchImageError("FI_POD_INVALID", { message, details: { plan: id } });
}

function taskStep(task: TaskPlanBody, config: TaskConfig | undefined): Step {
  const { name, params = {}, input_mapping: inputs = {}, output_mapping: outputs = {}, hermetic, timeout } = task;
  const limits = task.container_limits ?? config?.container_limits;
  const run = config?.run;
  // Without a config the image's own entrypoint runs: what a task runs may stand in a file that nobody has read yet.
  const process =
    run === undefined
      ? {}
      : { command: [literal(run.path)], ...(run.args === undefined ? {} : { args: run.args.map(literal) }) };
  return {
    type: "task",
    name,
    process,
    params: { ...config?.params, ...textsOf(params) },
    env: () => [],
    files: (identity) => ({
      root: `/tmp/build/${hexOf([identity.buildId, identity.key]).slice(0, 8)}`,
      directories: config === undefined ? [] : taskDirectories(config, { inputs, outputs }),
      ...(run?.dir === undefined ? {} : { dir: run.dir }),
    }),
    ...(limits === undefined ? {} : { limits }),
    user: run?.user,
    timeout,
    hermetic,
  };
}

function metadataEnv(identity: PodIdentity, { externalUrl }: PodSettings): EnvVar[] {
  return buildEnv(identity, externalUrl);
}

/** As Concourse turns them into text. */
function textsOf(params: NonNullable<TaskPlanBody["params"]>): { readonly [name: string]: string } {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      value === null ? "" : typeof value === "string" ? value : JSON.stringify(value),
    ]),
  );
}

/** Whole seconds; undefined where there is no timeout, or one that no clock would live to see. */
function deadlineOf(timeout: string | undefined): number | undefined {
  const duration = timeout === undefined ? undefined : parseGoDuration(timeout);
  if (duration === undefined || duration <= 0n) return undefined;
  const seconds = (duration + 999_999_999n) / 1_000_000_000n;
  return seconds < 2n ** 31n ? Number(seconds) : undefined;
}

export const getRoot = "/tmp/build/get";
export const putRoot = "/tmp/build/put";
const checkRoot = "/tmp/build/check";
