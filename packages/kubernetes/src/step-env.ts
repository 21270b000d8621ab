import { secretsOf } from "@fetch-image/core";
import type { EnvVar } from "./manifests.ts";
import type { PodIdentity } from "./pod-identity.ts";
import { podInvalid } from "./pod-invalid.ts";

export interface StepEnvOptions {
  readonly step: string;
  readonly params: { readonly [name: string]: string };
  /** Texts that are secrets, wherever they stand in a value. */
  readonly secrets: readonly string[];
  /** The Secret that holds the values which are secret. */
  readonly secretName: string;
}

export interface StepEnv {
  readonly env: EnvVar[];
  /** What the Secret holds, by variable. */
  readonly secret: { readonly [name: string]: string };
}

/**
 * A task's params as its environment. A value that is a secret, holds one or is called as secrets are (`…_TOKEN`,
 * `PASSWORD`) stands in a Secret and is referred to, since whoever may see pods may see what stands in them.
 * Throws `FI_POD_INVALID` for a name that API servers refuse.
 */
export function stepEnv({ step, params, secrets, secretName }: StepEnvOptions): StepEnv {
  const env: EnvVar[] = [];
  const secret: [string, string][] = [];
  for (const [name, value] of Object.entries(params)) {
    if (!validName.test(name)) {
      throw podInvalid(
        step,
        `the param ${JSON.stringify(name.slice(0, 50))} is no name of an environment variable on Kubernetes`,
        "Use letters, digits, dashes, dots and underscores, no digit first.",
      );
    }
    const isSecret =
      secretsOf({ [name]: value }).length > 0 || secrets.some((text) => text !== "" && value.includes(text));
    if (isSecret) secret.push([name, value]);
    env.push(
      isSecret
        ? { name, valueFrom: { secretKeyRef: { name: secretName, key: name } } }
        : { name, value: literal(value) },
    );
  }
  return { env, secret: Object.fromEntries(secret) };
}

/** What a get or put may know of its build (upstream atc/exec, StepMetadata): where versions and notifications point to. */
export function buildEnv(build: PodIdentity, externalUrl: string | undefined): EnvVar[] {
  const { team, pipeline, job, buildId, buildName = buildId } = build;
  const known = {
    BUILD_ID: buildId,
    BUILD_NAME: buildName,
    BUILD_JOB_NAME: job,
    BUILD_PIPELINE_NAME: pipeline,
    BUILD_TEAM_NAME: team,
    ATC_EXTERNAL_URL: externalUrl,
  };
  return Object.entries(known).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name, value: literal(value) }],
  );
}

/**
 * The text as it must stand in a pod so that the container gets it as it is: the kubelet takes `$(NAME)` in values,
 * commands and arguments for a variable, and `$$` for a dollar.
 */
export function literal(text: string): string {
  return /\$[$(]/.test(text) ? text.replaceAll("$", "$$$$") : text;
}

// Newer API servers take more; these are right with all.
const validName = /^[-._a-zA-Z][-._a-zA-Z0-9]{0,252}$/;
