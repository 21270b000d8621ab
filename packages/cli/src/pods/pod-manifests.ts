import {
  FetchImageError,
  type ImageSpec,
  imageURL,
  parseReference,
  parseRegistryImageSource,
  type Plan,
  type PullCredentials,
} from "@fetch-image/core";
import {
  baseResourceTypeImages,
  buildPod,
  type Container,
  credentialForImage,
  type Pod,
  type PodSettings,
  pullSecret,
  pullSecretName,
  pullSecretNames,
  type PullSecretPurpose,
  type Secret,
  unusedLoginWarning,
} from "@fetch-image/kubernetes";
import type { GivenPipeline } from "./given-pipeline.ts";
import type { RecordedBuild, RecordedImage } from "./recorded-build.ts";

/** What a step's pod needs, in the order in which it is to be made. */
export interface StepManifests {
  readonly manifests: readonly (Secret | Pod)[];
  /** What somebody has to do or know, a line each. */
  readonly notes: readonly string[];
}

/** A step that has no pod; `isFailure` where the build should have known its image. */
export interface PodlessStep {
  readonly because: string;
  readonly isFailure: boolean;
}

export interface PodManifestsOptions {
  readonly given: GivenPipeline | undefined;
  readonly settings: PodSettings;
  readonly pullSecrets: readonly string[];
  readonly registrySecret: string | undefined;
  /** Called for sources that have a login; none where there is no pipeline. */
  readonly credentials: () => Promise<PullCredentials>;
  readonly signal: AbortSignal;
}

/** The manifests of one step. Rejects with `FI_POD_INVALID`, and as `PullCredentials` does. */
export async function stepManifests(
  step: Plan,
  recorded: RecordedBuild,
  options: PodManifestsOptions,
): Promise<StepManifests | PodlessStep> {
  const { given, settings, pullSecrets, registrySecret } = options;
  const found = imageOf(step, recorded, options);
  if ("because" in found) return found;
  const { spec, image: recordedImage } = found;
  const build = { build: recorded.build, plan: step, image: spec, settings, secrets: given?.secrets ?? [] };
  const container = containerOf(buildPod(build).pod);
  const login =
    recordedImage?.credentials === true ? await loginOf(recordedImage, container.image, recorded, options) : none;
  const names = pullSecretNames({ own: login.names, configured: pullSecrets, registry: registrySecret });
  const { pod, secrets } = buildPod({ ...build, imagePullSecrets: names });
  const notes = [...login.notes];
  if (container.stdin === true) {
    const namespace = settings.namespace === undefined ? "" : ` --namespace=${settings.namespace}`;
    notes.push(`it waits for its request: kubectl attach --stdin${namespace} ${pod.metadata.name} < request.json`);
  }
  if (step.task !== undefined && container.command === undefined) {
    const config = step.task.config_path;
    const where =
      config === undefined ? "in no fact: give the pipeline with --sources" : `in ${config}, which a step makes`;
    notes.push(`what it runs is ${where}; as it is, the image's own entrypoint runs`);
  }
  return { manifests: [...login.secrets, ...secrets, pod], notes };
}

interface Login {
  readonly names: readonly string[];
  readonly secrets: readonly Secret[];
  readonly notes: readonly string[];
}

const none: Login = { names: [], secrets: [], notes: [] };

/** The Secret for the source's login, made where the pipeline is given, else named with how it is made. */
async function loginOf(
  { fetchId, kind, planId, name }: RecordedImage,
  image: string,
  { build }: RecordedBuild,
  { given, credentials, settings: { namespace }, signal }: PodManifestsOptions,
): Promise<Login> {
  const registry = domainOf(image);
  const purpose: PullSecretPurpose = { build, registry, of: kind === "type" ? name : planId };
  const source = parseRegistryImageSource(given?.sources.get(fetchId) ?? {});
  if (!source.ok) {
    const secret = pullSecretName(purpose);
    const server = registry === "docker.io" ? "https://index.docker.io/v1/" : registry;
    const inNamespace = namespace === undefined ? "" : ` --namespace=${namespace}`;
    const make = `kubectl create secret docker-registry ${secret}${inNamespace} --docker-server=${server} --docker-username=… --docker-password=…`;
    const notes = [
      "the login of its source is in no fact: give the pipeline with --sources, or make the Secret:",
      make,
    ];
    return { names: [secret], secrets: [], notes };
  }
  const all = await (await credentials()).pullCredentials(source.source, { signal });
  const credential = credentialForImage(image, all);
  if (credential !== undefined) {
    const secret = pullSecret(credential, purpose, namespace === undefined ? {} : { namespace });
    return { names: [secret.metadata.name], secrets: [secret], notes: [] };
  }
  const warning = unusedLoginWarning(image, all, purpose);
  return warning === undefined ? none : { ...none, notes: [warning] };
}

type Found = { readonly spec: ImageSpec; readonly image?: RecordedImage } | PodlessStep;

function imageOf(
  step: Plan,
  { images, artifactImages }: RecordedBuild,
  { given, settings }: PodManifestsOptions,
): Found {
  const { id, get, put, check, task } = step;
  // A fetch whose id is its step's is of what the step gets, and not of what it runs in.
  const own = images.find(
    ({ planId, fetchId, kind }) => planId === id && fetchId !== id && (kind === "task") === (task !== undefined),
  );
  if (own !== undefined) return fetched(own, own.privileged);
  if (task === undefined) {
    const { type = "", image_get_plan: ofCustomType } = get ?? put ?? check ?? {};
    const isBase = [settings.baseTypes ?? {}, baseResourceTypeImages].some((table) => Object.hasOwn(table, type));
    if (isBase && ofCustomType === undefined) return { spec: { resourceType: type, privileged: false } };
    return { because: `the image of its type ${type} was never fetched`, isFailure: true };
  }
  const artifact = artifactImages.get(id);
  if (artifact !== undefined) {
    const spec = { imageURL: imageURL(artifact.reference), privileged: task.privileged };
    const image = images.find(({ fetchId }) => fetchId === artifact.fetchedBy);
    return { spec, ...(image === undefined ? {} : { image }) };
  }
  const rootfs = task.config?.rootfs_uri;
  if (rootfs !== undefined) return { spec: { imageURL: rootfs, privileged: task.privileged } };
  const because =
    given === undefined
      ? "no fact says what it runs in: give the pipeline with --sources"
      : "what it runs in is made, or told, by an earlier step";
  return { because, isFailure: false };
}

function fetched(image: RecordedImage, privileged: boolean): Found {
  const { imageURL: url, artifact, failed } = image;
  if (url !== undefined) return { spec: { imageURL: url, privileged }, image };
  if (artifact !== undefined) return { spec: { imageArtifact: { handle: artifact }, privileged }, image };
  return {
    because: failed === undefined ? "the fetch of its image has not ended" : `its image was not fetched: ${failed}`,
    isFailure: true,
  };
}

function containerOf({ spec: { containers } }: Pod): Container {
  const [container] = containers;
  if (container === undefined) throw new FetchImageError("FI_INTERNAL", { message: "a pod has no container" });
  return container;
}

function domainOf(image: string): string {
  const parsed = parseReference(image);
  return parsed.ok ? parsed.reference.domain : "";
}
