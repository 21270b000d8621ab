import {
  type CancelSignal,
  type CheckPlan,
  type GetPlan,
  parseRegistryImageSource,
  type Plan,
  type PullCredential,
  type PullCredentials,
} from "@fetch-image/core";
import { PatchStrategy, setHeaderOptions, type V1Pod } from "@kubernetes/client-node";
import type { PodBuild } from "../build-pod.ts";
import { ownedBy, type Secret } from "../manifests.ts";
import { credentialForImage, pullSecret, unusedLoginWarning } from "../pull-secrets.ts";
import { isRefusal, type KubeApi } from "./kube-api.ts";

/** The login with which a step's image is pulled: a Secret for this pod's image, kept as the pod is. */
export interface PullLogin {
  readonly name: string;
  /** Makes the Secret, or puts what it must hold today under its name. Before the pod. */
  apply(): Promise<void>;
  /** Lets the pod own it: the cluster deletes it with the last pod that does. */
  own(pod: V1Pod): Promise<void>;
}

export interface PullLoginOptions {
  readonly kube: KubeApi;
  readonly credentials: PullCredentials;
  readonly build: PodBuild;
  readonly plan: Plan;
  /** As the node pulls it. */
  readonly image: string;
  /** Told where the source has logins, and a kubelet would try none of them. */
  readonly warn: (text: string) => void;
  readonly signal: CancelSignal;
}

/**
 * Undefined where the source of the step's own type brings no login for the registry that the image is pulled from. Rejects
 * as `PullCredentials` does.
 */
export async function pullLogin(options: PullLoginOptions): Promise<PullLogin | undefined> {
  const { kube, credentials, build, plan, image, warn, signal } = options;
  const getPlan = typeImageOf(plan);
  if (getPlan?.get.type !== "registry-image") return undefined;
  const parsed = parseRegistryImageSource(getPlan.get.source);
  if (!parsed.ok) throw parsed.error;
  const all = await credentials.pullCredentials(parsed.source, { signal });
  const credential = credentialForImage(image, all);
  const purpose = { build, of: getPlan.get.name };
  if (credential === undefined) {
    const warning = unusedLoginWarning(image, all, purpose);
    if (warning !== undefined) warn(warning);
    return undefined;
  }
  const made = secretFor(credential, { ...purpose, namespace: kube.cluster.namespace });
  return {
    name: made().metadata.name,
    apply: () => applySecret(kube, made(), { manager, signal }),
    // Each pod is an owner by a manager of its own: what one applies does not take the others' ownership away.
    own: (pod) => applySecret(kube, made(pod), { manager: `${manager}/${pod.metadata?.name ?? ""}`, signal }),
  };
}

const manager = "fetch-image";

function secretFor(
  credential: PullCredential,
  { build, of, namespace }: { readonly build: PodBuild; readonly of: string; readonly namespace: string },
): (owner?: V1Pod) => Secret {
  const purpose = { build, registry: credential.registry, of };
  return (owner) => pullSecret(credential, purpose, { namespace, owners: owner === undefined ? [] : [ownedBy(owner)] });
}

function typeImageOf({ check, get, put }: Plan | CheckPlan | GetPlan): GetPlan | undefined {
  return (check ?? get ?? put)?.image_get_plan;
}

/** By server-side apply: made where it is missing, and whoever changed it before is overruled. */
async function applySecret(
  kube: KubeApi,
  secret: Secret,
  { manager: fieldManager, signal }: { readonly manager: string; readonly signal: CancelSignal },
): Promise<void> {
  const { name } = secret.metadata;
  const { namespace } = kube.cluster;
  const request = { name, namespace, body: secret, fieldManager, force: true };
  for (let left = conflicts; ; left--) {
    try {
      await kube.ask(
        `apply pull secret ${name}`,
        (api, call) =>
          api.patchNamespacedSecret(request, setHeaderOptions("Content-Type", PatchStrategy.ServerSideApply, call)),
        { signal },
      );
      return;
    } catch (error) {
      // Two that make it at the same time: the second finds it made.
      if (!isRefusal(error, 409) || left === 0) throw error;
    }
  }
}

const conflicts = 3;
