import { FetchImageError, parseReference, type PullCredential } from "@fetch-image/core";
import { dockerConfigData, dockerConfigType } from "./docker-config.ts";
import type { OwnerReference, Secret } from "./manifests.ts";
import { pullSecretWarning } from "./keyring.ts";
import type { PodBuild } from "./build-pod.ts";
import { buildName, hexOf } from "./pod-identity.ts";
import { pullSecretLabels } from "./pod-labels.ts";

/** What a pull secret is for. It decides the name, so that a rotated password finds the same Secret again. */
export interface PullSecretPurpose {
  readonly build: PodBuild;
  /** As it stands in references: `ghcr.io`. */
  readonly registry: string;
  /** Whose image it is, unique in the build: a custom type's name, or the id of a task's plan. */
  readonly of: string;
}

export interface PullSecretOptions {
  readonly namespace?: string;
  /** The pods that pull with it, once the API server has made them: it goes when the last of them goes. */
  readonly owners?: readonly OwnerReference[];
}

/** `<pipeline>-<job>-b<build>-pull-<8 hex>`, as pods are named. Nothing of a login is in it. */
export function pullSecretName({ build, registry, of }: PullSecretPurpose): string {
  const { team = "", pipeline = "", job = "", buildId } = build;
  const digits = hexOf(["pull", team, pipeline, job, buildId, registry, of]).slice(0, 8);
  return buildName(build, `pull-${digits}`);
}

/**
 * The Secret with which kubelets log in at a registry, as `kubectl create secret docker-registry` makes it. Throws
 * `FI_PULL_SECRET_INVALID` where the username has a colon.
 */
export function pullSecret(
  credential: PullCredential,
  purpose: PullSecretPurpose,
  { namespace, owners = [] }: PullSecretOptions = {},
): Secret {
  const name = pullSecretName(purpose);
  if (credential.username.includes(":")) throw colonInUsername(name, credential.registry);
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...pullSecretLabels(purpose),
      ...(owners.length === 0 ? {} : { ownerReferences: [...owners] }),
    },
    type: dockerConfigType,
    data: dockerConfigData([credential]),
  };
}

/**
 * The login for the registry that nodes pull an image from, which may be another than the one that was asked; undefined
 * without one. A login is never sent to a registry that it is not for.
 */
export function credentialForImage(image: string, credentials: readonly PullCredential[]): PullCredential | undefined {
  const parsed = parseReference(image);
  return parsed.ok ? credentials.find(({ registry }) => registry === parsed.reference.domain) : undefined;
}

/**
 * What is wrong where a source has logins and a kubelet would try none of them for the image, in the words of
 * `pullSecretWarning`: it names the Secrets that they would be, and makes none. Undefined where there are no logins.
 */
export function unusedLoginWarning(
  image: string,
  credentials: readonly PullCredential[],
  purpose: Omit<PullSecretPurpose, "registry">,
): string | undefined {
  const secrets = credentials.map((credential) => ({
    metadata: { name: pullSecretName({ ...purpose, registry: credential.registry }) },
    type: dockerConfigType,
    data: dockerConfigData([credential]),
  }));
  return pullSecretWarning(image, secrets);
}

/**
 * The names for a pod's `imagePullSecrets`, each once: the source's own first, so that of one key it is tried first, then
 * the deployment's list, then the one of the deployment's own registry.
 */
export function pullSecretNames(names: {
  readonly own?: readonly string[];
  readonly configured?: readonly string[];
  readonly registry?: string | undefined;
}): readonly string[] {
  const { own = [], configured = [], registry } = names;
  return [...new Set([...own, ...configured, ...(registry === undefined ? [] : [registry])])];
}

// Kubelets split `auth` at its first colon, and HTTP Basic authentication has no other way to write it (RFC 7617 §2). The
// name is not shown: what is wrong with it may be that a password stands in it.
function colonInUsername(name: string, registry: string): FetchImageError {
  return new FetchImageError("FI_PULL_SECRET_INVALID", {
    message: `pull secret ${name}: the username for ${registry} has a colon: a kubelet would take what follows it for the password`,
    hint: "Correct `username` in the source; a password stands in `password` alone.",
    details: { secret: name, registry },
  });
}
