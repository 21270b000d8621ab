import type { CancelSignal, Clock, Logger } from "@fetch-image/core";
import { type V1Pod, Watch } from "@kubernetes/client-node";
import type { KubeApi } from "./kube-api.ts";
import { pause } from "./waiting.ts";

export interface FollowOptions {
  /** Of the one pod that is followed. */
  readonly labelSelector: string;
  /** Called with the pod as it is, whenever it changes; with undefined where there is none. May be called twice with the same. */
  readonly onPod: (pod: V1Pod | undefined) => void;
  readonly signal: CancelSignal;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Follows a pod until the signal aborts: a list, then a watch from where the list was taken, and the same again whenever
 * the watch ends, be it that the server closes it, that the connection breaks in the middle of an event, or that what
 * happened since is forgotten (410 Gone). Events that are older than what was seen change nothing. Rejects as
 * `KubeApi.ask` does where the list fails for good.
 */
export async function followPod(kube: KubeApi, options: FollowOptions): Promise<void> {
  const { labelSelector, signal, clock, logger } = options;
  let failures = 0;
  const seen = new Newest(options.onPod);
  while (!signal.aborted) {
    const { namespace } = kube.cluster;
    const what = "list pods";
    const list = await kube.ask(what, (api, call) => api.listNamespacedPod({ namespace, labelSelector }, call), {
      signal,
    });
    seen.listed(list.items[0]);
    const from = list.metadata?.resourceVersion;
    const began = clock.now();
    const why = await watchOnce(kube, { ...options, ...(from === undefined ? {} : { resourceVersion: from }) }, seen);
    // A server that closes each watch at once must not be asked without end.
    failures = clock.now() - began > steadyMs ? 0 : failures + 1;
    if (why !== undefined) logger.debug("a watch ended, and begins anew", { labelSelector, why });
    await pause(clock, failures === 0 ? 0 : Math.min(mostMs, firstMs * 2 ** (failures - 1)), signal);
  }
}

const watchSeconds = 240;
const steadyMs = 5_000;
const firstMs = 50;
const mostMs = 5_000;

/** Ends when the watch does, for whatever reason, which it gives. */
async function watchOnce(
  kube: KubeApi,
  { labelSelector, resourceVersion, signal, clock }: FollowOptions & { readonly resourceVersion?: string },
  seen: Newest,
): Promise<string | undefined> {
  const { kubeConfig, namespace } = kube.cluster;
  return new Promise((resolve) => {
    let stop = (): void => {};
    let ended = false;
    const end = (why?: string): void => {
      if (ended) return;
      ended = true;
      cancel();
      signal.removeEventListener("abort", calledOff);
      stop();
      resolve(why);
    };
    const calledOff = (): void => {
      end();
    };
    signal.addEventListener("abort", calledOff);
    // A connection that is half open says nothing at the end of its time either.
    const cancel = clock.after((watchSeconds + 15) * 1000, () => {
      end("nothing was heard");
    });
    const query = {
      labelSelector,
      allowWatchBookmarks: true,
      timeoutSeconds: watchSeconds,
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    };
    const onEvent = (type: string, object: unknown): void => {
      if (ended) return;
      if (type === "ERROR") end(wordsOf(object));
      else if (type === "ADDED" || type === "MODIFIED") seen.changed(object as V1Pod);
      else if (type === "DELETED") seen.deleted(object as V1Pod);
    };
    const begin = async (): Promise<void> => {
      const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
      const onEnd = (error: unknown): void => {
        end(error instanceof Error ? error.message : undefined);
      };
      const controller = await new Watch(kubeConfig).watch(path, query, onEvent, onEnd);
      stop = () => {
        controller.abort();
      };
      if (ended) stop();
    };
    begin().catch((error: unknown) => {
      end(String(error));
    });
  });
}

/** Passes on only what is not older than what was passed on before. */
class Newest {
  readonly #onPod: (pod: V1Pod | undefined) => void;
  #version = -1n;
  #uid: string | undefined;

  constructor(onPod: (pod: V1Pod | undefined) => void) {
    this.#onPod = onPod;
  }

  /** A list is the present. */
  listed(pod: V1Pod | undefined): void {
    this.#uid = pod?.metadata?.uid;
    this.#version = versionOf(pod) ?? -1n;
    this.#onPod(pod);
  }

  changed(pod: V1Pod): void {
    const version = versionOf(pod);
    if (version !== undefined && version <= this.#version) return;
    this.#uid = pod.metadata?.uid;
    this.#version = version ?? this.#version;
    this.#onPod(pod);
  }

  deleted(pod: V1Pod): void {
    const version = versionOf(pod);
    // Of a pod before this one, which had the same name.
    if (pod.metadata?.uid !== this.#uid || (version !== undefined && version < this.#version)) return;
    this.#version = version ?? this.#version;
    this.#onPod(undefined);
  }
}

/** Versions of one resource are numbers that grow, wherever a Kubernetes API server stands behind the words. */
function versionOf(pod: V1Pod | undefined): bigint | undefined {
  const version = pod?.metadata?.resourceVersion ?? "";
  return /^\d{1,30}$/.test(version) ? BigInt(version) : undefined;
}

function wordsOf(status: unknown): string {
  if (typeof status === "object" && status !== null && "message" in status) return String(status.message);
  return "the server ended it";
}
