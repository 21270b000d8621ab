import { posix } from "node:path";
import { showText, type TaskConfig } from "@fetch-image/core";
import type { Volume, VolumeMount, VolumeSource } from "./manifests.ts";
import { podInvalid } from "./pod-invalid.ts";

/** A directory of a step that is a volume of its pod. */
export interface StepArtifact {
  readonly kind: "input" | "output" | "cache" | "resource";
  /** The artifact's name, as the step's mapping has it; a cache's path. */
  readonly name: string;
}

export interface StepFiles {
  readonly volumes: Volume[];
  readonly mounts: VolumeMount[];
  readonly workingDir: string;
}

export interface StepFilesOptions {
  readonly step: string;
  /** Where the step's files are in its container. */
  readonly root: string;
  /** The directories below it. */
  readonly directories: readonly (StepArtifact & { readonly path: string })[];
  /** Where an artifact's files are; where it has no answer, the directory begins empty. */
  readonly volumeOf?: ((artifact: StepArtifact) => VolumeSource | undefined) | undefined;
  /** Below the root. */
  readonly dir?: string | undefined;
}

/** Throws `FI_POD_INVALID` for a path that leads out of the step's files. */
export function stepFiles({ step, root, directories, volumeOf, dir = "" }: StepFilesOptions): StepFiles {
  const volumes: Volume[] = [{ name: "work", emptyDir: {} }];
  const mounts: VolumeMount[] = [{ name: "work", mountPath: root }];
  for (const { path, ...artifact } of directories) {
    const mountPath = below(step, root, path);
    const source = volumeOf?.(artifact);
    // A task's output may be one of its inputs, changed: they are one directory, and the first one's files are in it.
    const known = mounts.findIndex((mount) => mount.mountPath === mountPath);
    if (known > 0 || (known === 0 && source === undefined)) continue;
    const name = known === 0 ? "work" : `${artifact.kind}-${volumes.length}`;
    const volume = { name, ...(source ?? { emptyDir: {} }) };
    if (known === 0) volumes[0] = volume;
    else {
      volumes.push(volume);
      mounts.push({ name, mountPath });
    }
  }
  return { volumes, mounts, workingDir: below(step, root, dir) };
}

/** The directories of a task: inputs first, so that an output at the same path keeps their files. */
export function taskDirectories(
  { inputs = [], outputs = [], caches = [] }: TaskConfig,
  mappings: {
    readonly inputs: { readonly [name: string]: string };
    readonly outputs: { readonly [name: string]: string };
  },
): StepFilesOptions["directories"] {
  return [
    ...inputs.map(({ name, path = name }) => ({ kind: "input" as const, name: mapped(mappings.inputs, name), path })),
    ...outputs.map(({ name, path = name }) => ({
      kind: "output" as const,
      name: mapped(mappings.outputs, name),
      path,
    })),
    ...caches.map(({ path = "" }) => ({ kind: "cache" as const, name: path, path })),
  ];
}

function mapped(mapping: { readonly [name: string]: string }, name: string): string {
  return Object.hasOwn(mapping, name) ? (mapping[name] ?? name) : name;
}

function below(step: string, root: string, path: string): string {
  const joined = posix.join(root, path).replace(/\/$/, "");
  // API servers refuse a colon in a path to mount at.
  const problem =
    joined !== root && !joined.startsWith(`${root}/`)
      ? "leads out of the step's files"
      : joined.includes(":") && "has a colon";
  if (problem === false) return joined;
  throw podInvalid(step, `the path ${showText(path)} ${problem}`, "Write a path below the step's directory.");
}
