import {
  type CancelSignal,
  type CheckPlan,
  type Clock,
  FetchImageError,
  type GetPlan,
  type ImageArtifact,
  type Logger,
  type PullCredentials,
  secretCutter,
  secretsOf,
  silentLogger,
  type StepContext,
  type StepRunner,
  type Version,
} from "@fetch-image/core";
import type { V1Pod } from "@kubernetes/client-node";
import { buildPod, getRoot, type PodBuild, type PodSettings, putRoot } from "../build-pod.ts";
import type { PodIdentity } from "../pod-identity.ts";
import { podSelector } from "../pod-labels.ts";
import { pullSecretNames } from "../pull-secrets.ts";
import type { Cluster } from "./cluster.ts";
import { collectStep, deliverRequest, type StepEnd } from "./collect-step.ts";
import { followPod } from "./follow-pod.ts";
import { defaultKubeRetry, KubeApi, type KubeRetry } from "./kube-api.ts";
import { pullLogin, type PullLogin } from "./pull-login.ts";
import { PodLife } from "./pod-life.ts";
import { deletePod, pullWordsOfEvents, startPod, startTimeout } from "./pods-api.ts";
import {
  checkStep,
  getStep,
  type PutPlan,
  putStep,
  readAnswer,
  readVersions,
  type ResourceAnswer,
  type ResourceStep,
} from "./resource-protocol.ts";
import { stepContainer, stepPod } from "./step-pod.ts";
import { Deferred, following, machineClock, throwIfAborted } from "./waiting.ts";

export interface PodStepRunnerOptions {
  readonly cluster: Cluster;
  /** What all pods have in common. */
  readonly settings?: PodSettings;
  /** Names of Secrets that are there already, in the order in which the kubelet tries them. */
  readonly pullSecrets?: readonly string[];
  /**
   * The logins that sources bring with them, as `createImageRegistry` of `@fetch-image/registry` gives them. Where the image
   * of a step's own type has one, it is put in a Secret for the build before the pod is made, tried before `pullSecrets`,
   * and deleted with the last pod that has it. Default: none.
   */
  readonly credentials?: PullCredentials;
  /**
   * Where gets leave their files: a PersistentVolumeClaim that every node can mount, a directory of it for each get, named
   * as the artifact's handle. Without one there are checks and puts only.
   */
  readonly claimName?: string;
  /** How long a pod may take to start, its image's pull included. Default: 5 minutes. */
  readonly startTimeoutMs?: number;
  /** The most that a script may answer, in bytes. Default: 4 MiB. */
  readonly answerLimit?: number;
  /** The most that a script may print for people before its pod is evicted. Default: `256Mi`. */
  readonly outputLimit?: string;
  readonly retry?: Partial<KubeRetry>;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** Runs steps as pods; the same step asked for again, after a crash too, is the same pod. */
export interface PodStepRunner extends StepRunner {
  /** `inputs`: handles of earlier gets, by the name of the directory that they are to be. */
  put(
    plan: PutPlan,
    context: StepContext,
    options?: { readonly inputs?: { readonly [name: string]: string } },
  ): Promise<ResourceAnswer>;
}

/**
 * The step runner of a Kubernetes cluster: each check, get or put is a pod of the resource type's image, which runs
 * `/opt/resource/check`, `in` or `out`. The pod is named for its step: whoever asks for the same step again takes up the
 * pod that is there, with what it has printed so far. It is deleted when the step has ended, or is called off.
 *
 * Rejects with `FI_STEP_FAILED` (`details.status`, `details.stderr`), `FI_STEP_ANSWER_INVALID`, `FI_STEP_TIMED_OUT`,
 * `FI_IMAGE_PULL_FAILED`, `FI_STEP_POD_UNSTARTED`, `FI_STEP_POD_LOST`, `FI_KUBERNETES_UNAVAILABLE`,
 * `FI_KUBERNETES_REFUSED`, `FI_POD_INVALID`; with `FI_ABORTED` when the signal aborts.
 */
export function createPodStepRunner(options: PodStepRunnerOptions): PodStepRunner {
  return new Runner(options);
}

class Runner implements PodStepRunner {
  readonly #options: PodStepRunnerOptions;
  readonly #kube: KubeApi;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #retry: KubeRetry;

  constructor(options: PodStepRunnerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? machineClock;
    this.#logger = options.logger ?? silentLogger;
    this.#retry = { ...defaultKubeRetry, ...options.retry };
    this.#kube = new KubeApi({
      cluster: options.cluster,
      clock: this.#clock,
      logger: this.#logger,
      retry: this.#retry,
    });
  }

  async check(plan: CheckPlan, context: StepContext): Promise<readonly Version[]> {
    const step = checkStep(plan);
    return readVersions(step, await this.#run(step, context, {}));
  }

  async get(plan: GetPlan, context: StepContext): Promise<ImageArtifact> {
    if (this.#options.claimName === undefined) {
      throw claimMissing(`the get of ${plan.get.name} has nowhere to leave its files`);
    }
    const step = getStep(plan);
    const handle = handleOf(context);
    readAnswer(step, await this.#run(step, context, { directories: { [getRoot]: handle } }));
    return { handle };
  }

  async put(
    plan: PutPlan,
    context: StepContext,
    { inputs = {} }: { readonly inputs?: { readonly [name: string]: string } } = {},
  ): Promise<ResourceAnswer> {
    const step = putStep(plan);
    if (this.#options.claimName === undefined && Object.keys(inputs).length > 0) {
      throw claimMissing(`the put of ${plan.put.name} has inputs, and there is nowhere to have them from`);
    }
    const directories = Object.fromEntries(
      Object.entries(inputs).map(([name, handle]) => [`${putRoot}/${name}`, handle]),
    );
    return readAnswer(step, await this.#run(step, context, { directories, inputs: Object.keys(inputs) }));
  }

  /** Gives what the step's script answers. */
  async #run(step: ResourceStep, context: StepContext, files: StepFiles): Promise<string> {
    throwIfAborted(context.signal);
    const { answerLimit = 4 * 1024 * 1024 } = this.#options;
    const { pod, build, labelSelector } = this.#podOf(step, context, files);
    // Follows the step's own signal, and ends with the step: nothing of it stays open.
    const { controller, end } = following(context.signal);
    const { signal } = controller;
    const name = pod.metadata?.name ?? "";
    let uid: string | undefined;
    let done = false;
    try {
      const patienceMs = this.#startTimeoutMs;
      const login = await this.#loginOf(step, pod, { build, signal });
      nameLogin(pod, login);
      await login?.apply();
      const started = await startPod(this.#kube, pod, {
        labelSelector,
        signal,
        clock: this.#clock,
        patienceMs,
      });
      uid = started.pod.metadata?.uid;
      await login?.own(started.pod);
      if (started.adopted) this.#logger.info("a step goes on in the pod that was there", { pod: name });
      const ended = await this.#attend(step, context, { pod: name, labelSelector, signal, answerLimit });
      done = true;
      if (ended.status !== 0) throw stepFailed(step, ended);
      if (ended.size > answerLimit) throw tooLong(step, ended.size, answerLimit);
      return ended.answer.toString();
    } catch (error) {
      throwIfAborted(context.signal);
      throw error;
    } finally {
      controller.abort();
      end();
      await this.#delete({ name, uid }, done ? 0 : graceSeconds);
    }
  }

  async #attend(
    step: ResourceStep,
    context: StepContext,
    { pod, labelSelector, signal, answerLimit }: Attended & { readonly answerLimit: number },
  ): Promise<StepEnd> {
    const [kube, clock, logger] = [this.#kube, this.#clock, this.#logger];
    const life = new PodLife({
      container: stepContainer,
      pullWords: (of) => pullWordsOfEvents(kube, of, { signal }),
    });
    followPod(kube, { labelSelector, onPod: life.onPod, signal, clock, logger }).catch((error: unknown) => {
      life.fail(error);
    });
    const late = new Deferred<never>();
    const cancel = clock.after(this.#startTimeoutMs, () => {
      late.reject(startTimeout(pod, this.#startTimeoutMs, life.waitsFor));
    });
    const off = whenAborted(signal);
    try {
      const running = await Promise.race([life.running, late.promise, off.promise]);
      cancel();
      const imageID = running.status?.containerStatuses?.find(({ name }) => name === stepContainer)?.imageID;
      if (imageID !== undefined && imageID !== "") await context.ran?.(imageID);
      const { attempts, baseMs: pauseMs } = this.#retry;
      const talk = { pod, container: stepContainer, signal, clock, attempts, pauseMs };
      const request = Buffer.from(JSON.stringify(step.request));
      const work = (async () => {
        await deliverRequest(kube, request, talk);
        return await collectStep(kube, { ...talk, output: context.output, answerLimit });
      })();
      return await Promise.race([work, life.failed, off.promise]);
    } finally {
      cancel();
      off.end();
    }
  }

  #podOf(step: ResourceStep, context: StepContext, { directories = {}, inputs = [] }: StepFiles) {
    const { settings = {}, pullSecrets = [], cluster, claimName, outputLimit = "256Mi" } = this.#options;
    const { buildId, team, pipeline, job, effectKey, image } = context;
    const build = {
      buildId,
      ...(team === undefined ? {} : { team }),
      ...(pipeline === undefined ? {} : { pipeline }),
      ...(job === undefined ? {} : { job }),
    };
    const built = buildPod({
      build,
      plan: step.plan,
      image,
      key: effectKey,
      imagePullSecrets: pullSecrets,
      putInputs: inputs,
      settings: { deadlineSeconds: longestSeconds, ...settings, namespace: cluster.namespace },
    });
    const pod = stepPod(built.pod, {
      outputLimit,
      ...(claimName === undefined ? {} : { claim: { claimName, directories } }),
    });
    const identity: PodIdentity = { ...build, type: step.type, key: effectKey };
    return { pod, build, labelSelector: podSelector(identity) };
  }

  async #loginOf(
    { plan }: ResourceStep,
    pod: V1Pod,
    { build, signal }: { readonly build: PodBuild; readonly signal: CancelSignal },
  ): Promise<PullLogin | undefined> {
    const { credentials } = this.#options;
    const image = pod.spec?.containers.find(({ name }) => name === stepContainer)?.image;
    if (credentials === undefined || image === undefined) return undefined;
    const warn = (text: string): void => this.#logger.warn(text, { pod: pod.metadata?.name ?? "" });
    return await pullLogin({ kube: this.#kube, credentials, build, plan, image, warn, signal });
  }

  /** The step's outcome is known; a pod that cannot be deleted now goes when its deadline comes. */
  async #delete(pod: { readonly name: string; readonly uid: string | undefined }, seconds: number): Promise<void> {
    try {
      await deletePod(this.#kube, pod, { graceSeconds: seconds, signal: neverAborted });
    } catch (error) {
      this.#logger.warn("a step's pod could not be deleted", { pod: pod.name, error: String(error) });
    }
  }

  get #startTimeoutMs(): number {
    return this.#options.startTimeoutMs ?? 300_000;
  }
}

interface StepFiles {
  /** Directories of the claim, by where the step sees them. */
  readonly directories?: { readonly [mountPath: string]: string };
  /** Names of a put's inputs. */
  readonly inputs?: readonly string[];
}

interface Attended {
  readonly pod: string;
  readonly labelSelector: string;
  readonly signal: CancelSignal;
}

/** Of a pod that is called off: so long its script may take to clean up. */
const graceSeconds = 10;
/** A pod whose scheduler never comes back ends after a day. */
const longestSeconds = 86_400;
const neverAborted: CancelSignal = new AbortController().signal;

function claimMissing(message: string): FetchImageError {
  const hint = "Give the step runner a claimName: a PersistentVolumeClaim that every node can mount.";
  return new FetchImageError("FI_ARTIFACT_STORE_MISSING", { message, hint });
}

/** The source's own login is tried first. */
function nameLogin(pod: V1Pod, login: PullLogin | undefined): void {
  if (login === undefined || pod.spec === undefined) return;
  const configured = pod.spec.imagePullSecrets?.flatMap(({ name }) => (name === undefined ? [] : [name])) ?? [];
  pod.spec.imagePullSecrets = pullSecretNames({ own: [login.name], configured }).map((name) => ({ name }));
}

/** The same for the same step, and a name that directories can have. */
function handleOf({ buildId, effectKey }: StepContext): string {
  return `${buildId}-${effectKey}`.replaceAll(/[^A-Za-z0-9._-]+/g, "-").replace(/^[.-]+/, "");
}

function whenAborted(signal: CancelSignal): { readonly promise: Promise<never>; readonly end: () => void } {
  const deferred = new Deferred<never>();
  const abort = (): void => {
    deferred.reject(new FetchImageError("FI_ABORTED", { message: "the step was called off" }));
  };
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  return {
    promise: deferred.promise,
    end: () => {
      signal.removeEventListener("abort", abort);
    },
  };
}

function stepFailed({ type, name, source }: ResourceStep, { status, lastWords }: StepEnd): FetchImageError {
  const words = secretCutter(secretsOf(source))(lastWords).trim();
  const last = words.split("\n").slice(-5).join("\n");
  return new FetchImageError("FI_STEP_FAILED", {
    message: `the ${type} of ${name} ended with status ${status}${last === "" ? "" : `: ${last}`}`,
    details: { step: name, type, status, ...(words === "" ? {} : { stderr: words }) },
  });
}

function tooLong({ type, name }: ResourceStep, size: number, limit: number): FetchImageError {
  return new FetchImageError("FI_STEP_ANSWER_INVALID", {
    message: `the ${type} of ${name} answered ${size} bytes, and ${limit} are the most`,
    details: { step: name, type, size },
  });
}
