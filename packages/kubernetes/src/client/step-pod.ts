import type { V1Container, V1Pod, V1Volume } from "@kubernetes/client-node";
import type { Pod } from "../manifests.ts";
import { outputDirectory, stepDirectory, supervise } from "./step-script.ts";

/** The container that a step runs in. */
export const stepContainer = "main";

export interface StepPodOptions {
  /** How many bytes a step may print before its pod is evicted, as Kubernetes writes quantities. */
  readonly outputLimit: string;
  /** A PersistentVolumeClaim, and which of its directories is mounted where in the container. */
  readonly claim?: { readonly claimName: string; readonly directories: { readonly [mountPath: string]: string } };
}

/** The pod of a get, put or check with its process {@link supervise supervised}. */
export function stepPod(pod: Pod, { outputLimit, claim }: StepPodOptions): V1Pod {
  const { containers, volumes = [], ...spec } = pod.spec;
  const directories = new Map(Object.entries(claim?.directories ?? {}));
  const mounts = containers.flatMap(({ volumeMounts = [] }) => volumeMounts);
  const claimed = new Set(mounts.filter(({ mountPath }) => directories.has(mountPath)).map(({ name }) => name));
  return {
    ...pod,
    spec: {
      ...spec,
      containers: containers.map((one) => (one.name === stepContainer ? supervised(one, directories) : one)),
      volumes: [
        ...volumes.map((one): V1Volume =>
          claim !== undefined && claimed.has(one.name)
            ? { name: one.name, persistentVolumeClaim: { claimName: claim.claimName } }
            : one,
        ),
        // The request holds credentials: it is never on a disk, and gone once the step has read it.
        { name: "request", emptyDir: { medium: "Memory", sizeLimit: requestLimit } },
        { name: "printed", emptyDir: { sizeLimit: outputLimit } },
      ],
    },
  };
}

const requestLimit = "16Mi";

function supervised(
  { command = [], stdin: _open, stdinOnce: _once, ...container }: Pod["spec"]["containers"][number],
  directories: ReadonlyMap<string, string>,
): V1Container {
  return {
    ...container,
    command: supervise(command),
    volumeMounts: [
      ...(container.volumeMounts ?? []).map((mount) => {
        const subPath = directories.get(mount.mountPath);
        return subPath === undefined ? mount : { ...mount, subPath };
      }),
      { name: "request", mountPath: stepDirectory },
      { name: "printed", mountPath: outputDirectory },
    ],
  };
}
