import { hexOf, podHandle, type PodIdentity } from "./pod-identity.ts";

/** Labels and annotations: `concourse.ci/pipeline` and its like, as Concourse's operators on Kubernetes know them. */
export interface PodLabels {
  /** Valid always: a value that is none is cut and changed, and ends in 8 hex digits of what it was. */
  readonly labels: { [key: string]: string };
  /** The same values in full. */
  readonly annotations: { [key: string]: string };
}

export function podLabels(identity: PodIdentity, step: string): PodLabels {
  const { labels, annotations } = labelled({ ...ofBuild(identity), step });
  return {
    labels: { ...managedLabels, [handleLabel]: podHandle(identity), [`${prefix}/type`]: identity.type, ...labels },
    annotations,
  };
}

/** What a pull secret is for, and never what it holds. */
export function pullSecretLabels(purpose: {
  readonly build: Omit<PodIdentity, "type" | "key">;
  readonly registry: string;
  readonly of: string;
}): PodLabels {
  const { build, registry, of } = purpose;
  const { labels, annotations } = labelled({ ...ofBuild(build), registry, "image-of": of });
  return { labels: { ...managedLabels, [`${prefix}/type`]: "pull-secret", ...labels }, annotations };
}

function ofBuild({ team, pipeline, job, buildId, buildName = buildId }: Omit<PodIdentity, "type" | "key">) {
  return { team, pipeline, job, build: buildName, "build-id": buildId };
}

function labelled(values: { readonly [name: string]: string | undefined }): PodLabels {
  const given = Object.entries(values).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "",
  );
  const named = (value: (text: string) => string) =>
    Object.fromEntries(given.map(([name, text]) => [`${prefix}/${name}`, value(text)]));
  return { labels: named(labelValue), annotations: named(annotationValue) };
}

/** A selector for the API server's lists: exactly this pod, whatever its names were cut to. */
export function podSelector(identity: PodIdentity): string {
  return `${handleLabel}=${podHandle(identity)}`;
}

/** A selector for every pod and Secret that belongs to a build. */
export function buildSelector(buildId: string): string {
  return `${managed}=${manager},${prefix}/build-id=${labelValue(buildId)}`;
}

/** At most 63 of letters, digits, dashes, underscores and dots, a letter or digit at both ends; two texts are two values. */
export function labelValue(text: string): string {
  if (text === "" || validLabel.test(text)) return text;
  const readable = text
    .replace(/[^A-Za-z0-9_.-]+/g, "-")
    .slice(0, mostLabel - 9)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "");
  const digits = hexOf([text]).slice(0, 8);
  return readable === "" ? digits : `${readable}-${digits}`;
}

/** What the API server takes is UTF-8, and all of an object's annotations together at most 256 KiB. */
function annotationValue(text: string): string {
  return text.slice(0, mostAnnotation).replace(/\p{Surrogate}/gu, "\uFFFD");
}

const prefix = "concourse.ci";
const handleLabel = `${prefix}/handle`;
const managed = "app.kubernetes.io/managed-by";
const manager = "fetch-image";
const managedLabels: { readonly [key: string]: string } = { [managed]: manager };

/** Where the plan says that the network is cut off: for a NetworkPolicy to select. */
export const hermeticLabels: { readonly [key: string]: string } = { [`${prefix}/hermetic`]: "true" };

const validLabel = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const mostLabel = 63;
const mostAnnotation = 16_384;
