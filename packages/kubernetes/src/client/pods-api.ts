import { type CancelSignal, type Clock, FetchImageError } from "@fetch-image/core";
import type { V1Pod } from "@kubernetes/client-node";
import { isRefusal, type KubeApi } from "./kube-api.ts";
import { pullWords } from "./pod-state.ts";
import { pause } from "./waiting.ts";

export interface StartOptions {
  /** Of this one pod. */
  readonly labelSelector: string;
  readonly signal: CancelSignal;
  readonly clock: Clock;
  /** How long a pod of the same name may take to go. */
  readonly patienceMs: number;
}

/**
 * Makes the pod, or takes the one that is there already: of a scheduler that died, or of an answer that was lost. One that
 * is being deleted is waited for, and made anew. Rejects as `KubeApi.ask` does.
 */
export async function startPod(
  kube: KubeApi,
  pod: V1Pod,
  { labelSelector, signal, clock, patienceMs }: StartOptions,
): Promise<{ readonly pod: V1Pod; readonly adopted: boolean }> {
  const { namespace } = kube.cluster;
  const name = pod.metadata?.name ?? "";
  const until = clock.now() + patienceMs;
  for (;;) {
    try {
      const what = `create pod ${name}`;
      const made = await kube.ask(what, (api, call) => api.createNamespacedPod({ namespace, body: pod }, call), {
        signal,
      });
      return { pod: made, adopted: false };
    } catch (error) {
      if (!isRefusal(error, 409)) throw error;
      const what = `find pod ${name}`;
      const list = await kube.ask(what, (api, call) => api.listNamespacedPod({ namespace, labelSelector }, call), {
        signal,
      });
      const found = list.items.find(({ metadata }) => metadata?.name === name);
      if (found !== undefined && found.metadata?.deletionTimestamp === undefined) return { pod: found, adopted: true };
      // Without our labels it is somebody else's.
      if (clock.now() > until) throw error;
    }
    await pause(clock, goneMs, signal);
  }
}

const goneMs = 250;

/** Deletes this very pod; one that is gone, or another of its name, is left alone. Rejects as `KubeApi.ask` does. */
export async function deletePod(
  kube: KubeApi,
  { name, uid }: { readonly name: string; readonly uid: string | undefined },
  { graceSeconds, signal }: { readonly graceSeconds: number; readonly signal: CancelSignal },
): Promise<void> {
  const { namespace } = kube.cluster;
  const body = {
    gracePeriodSeconds: graceSeconds,
    propagationPolicy: "Background",
    ...(uid === undefined ? {} : { preconditions: { uid } }),
  };
  try {
    await kube.ask(`delete pod ${name}`, (api, call) => api.deleteNamespacedPod({ name, namespace, body }, call), {
      signal,
    });
  } catch (error) {
    if (!isRefusal(error, 404) && !isRefusal(error, 409)) throw error;
  }
}

/** The registry's words from the pod's events, the newest that has any; empty where none has. */
export async function pullWordsOfEvents(
  kube: KubeApi,
  pod: V1Pod,
  { signal }: { signal: CancelSignal },
): Promise<string> {
  const { namespace } = kube.cluster;
  const fieldSelector = `involvedObject.uid=${pod.metadata?.uid ?? ""}`;
  const what = `list events of pod ${pod.metadata?.name ?? ""}`;
  const list = await kube.ask(what, (api, call) => api.listNamespacedEvent({ namespace, fieldSelector }, call), {
    signal,
  });
  const words = list.items
    .filter(({ reason }) => reason === "Failed")
    .map(({ message = "" }) =>
      message === "Error: ImagePullBackOff" || message === "Error: ErrImagePull" ? "" : pullWords(message),
    )
    .filter((text) => text !== "");
  return words.at(-1) ?? "";
}

/** What nobody answered in time. */
export function startTimeout(pod: string, ms: number, why: string): FetchImageError {
  return new FetchImageError("FI_STEP_POD_UNSTARTED", {
    message: `pod ${pod} did not start within ${Math.round(ms / 1000)} s: ${why}`,
    details: { pod },
  });
}
