import { FetchImageError } from "@fetch-image/core";
import type { V1Pod } from "@kubernetes/client-node";

/** Where a step's pod is on its way, from what the API server says of it. */
export type PodState =
  /** `why`: what it waits for, in the cluster's words. */
  | { readonly kind: "starting"; readonly why: string }
  /** `imageID`: what the container runtime says that it runs. */
  | { readonly kind: "running"; readonly imageID?: string }
  /** The image cannot be pulled; `words` are the registry's, or empty where the kubelet does not repeat them. */
  | { readonly kind: "unpullable"; readonly reason: string; readonly words: string }
  | { readonly kind: "failed"; readonly error: FetchImageError };

/** `container`: the one that the step runs in. Pure; undefined is a pod that is not there (any more). */
export function podState(pod: V1Pod | undefined, container: string): PodState {
  if (pod === undefined) return lost("the step's pod", "it was deleted");
  const { metadata, status } = pod;
  const name = `pod ${metadata?.name ?? ""}`;
  if (status?.reason === "DeadlineExceeded") return overdue(name, pod);
  const own = status?.containerStatuses?.find((one) => one.name === container);
  const ended = own?.state?.terminated;
  if (ended !== undefined) {
    const how = [ended.reason, ended.message?.trim()].filter(Boolean).join(": ");
    if (ended.reason !== undefined && neverRan.has(ended.reason)) return unstarted(name, how);
    const ofPod = [status?.reason, status?.message].filter(Boolean).join(": ");
    return lost(name, `it ended with status ${ended.exitCode}: ${ofPod || how || "no reason given"}`);
  }
  if (metadata?.deletionTimestamp !== undefined) return lost(name, `it is being deleted${disruption(pod)}`);
  if (status?.phase === "Failed" || status?.phase === "Succeeded" || status?.reason === "NodeLost") {
    return lost(name, [status.reason, status.message].filter(Boolean).join(": ") || `it is ${status.phase}`);
  }
  const waiting = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
    .map(({ state }) => state?.waiting)
    .find((one) => one !== undefined && !onItsWay.has(one.reason ?? ""));
  if (waiting !== undefined) {
    const { reason = "", message = "" } = waiting;
    if (unpullable.has(reason)) return { kind: "unpullable", reason, words: pullWords(message) };
    return unstarted(name, [reason, message].filter(Boolean).join(": "));
  }
  if (own?.state?.running !== undefined) {
    const { imageID } = own;
    return { kind: "running", ...(imageID === "" ? {} : { imageID }) };
  }
  return { kind: "starting", why: startingWords(pod) };
}

/**
 * The error of an image that no kubelet can pull. What may pass (a limit, an outage) is retryable; what the registry
 * answers the same tomorrow is not.
 */
export function pullError(
  image: string,
  pod: string,
  { reason, words }: { reason: string; words: string },
): FetchImageError {
  const said = words === "" ? "the kubelet does not say why" : words;
  const retryable = passing.test(words) && !lasting.test(words);
  const refused = /unauthorized|denied|forbidden|\b40[13]\b|no basic auth|authorization failed/i.test(words);
  return new FetchImageError("FI_IMAGE_PULL_FAILED", {
    message: `the kubelet cannot pull ${image} for pod ${pod}: ${reason}: ${said}`,
    retryable,
    ...(refused
      ? { hint: "Check that one of the pod's pull secrets is for this registry, and may read the image." }
      : {}),
    details: { image, pod, reason },
  });
}

/** The registry's words in a kubelet's: without the kubelet's own beginnings. */
export function pullWords(message: string): string {
  return message
    .replace(/^Back-off pulling image "[^"]*"(?:: )?/, "")
    .replace(/^ErrImagePull: /, "")
    .replace(/^Failed to pull image "[^"]*": /, "")
    .replace(/^rpc error: code = \w+ desc = /, "")
    .trim();
}

const unpullable: ReadonlySet<string> = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "ErrImageNeverPull",
  "ImageInspectError",
  "RegistryUnavailable",
  "SignatureValidationFailed",
]);
const onItsWay: ReadonlySet<string> = new Set(["", "ContainerCreating", "PodInitializing"]);
/** Why a container's process never ran. */
const neverRan: ReadonlySet<string> = new Set(["StartError", "ContainerCannotRun", "ContainerStatusUnknown"]);
const passing =
  /pull QPS exceeded|too ?many ?requests|\b429\b|\b50[0234]\b|time(?:d )?out|deadline exceeded|connection re(?:fused|set)|\bEOF\b|no such host|temporar|unavailable|server misbehaving/i;
const lasting = /not found|manifest unknown|unauthorized|denied|forbidden|invalid reference/i;

function startingWords({ status }: V1Pod): string {
  const held = status?.conditions?.find(({ type, status: is }) => type === "PodScheduled" && is === "False");
  if (held !== undefined) return [held.reason, held.message].filter(Boolean).join(": ");
  const waiting = status?.containerStatuses?.[0]?.state?.waiting;
  return waiting === undefined ? "no kubelet has taken it yet" : (waiting.message ?? waiting.reason ?? "");
}

/** Why the cluster takes a pod away: an eviction, a node that is gone. */
function disruption({ status }: V1Pod): string {
  const found = status?.conditions?.find(({ type, status: is }) => type === "DisruptionTarget" && is === "True");
  return found === undefined ? "" : `: ${[found.reason, found.message].filter(Boolean).join(": ")}`;
}

function lost(pod: string, why: string): PodState {
  const error = new FetchImageError("FI_STEP_POD_LOST", {
    message: `${pod} was lost before its step was done: ${why}`,
  });
  return { kind: "failed", error };
}

/** The kubelet ends a pod at its deadline, whether its step runs by then or its image is still being pulled. */
function overdue(name: string, { spec, status }: V1Pod): PodState {
  const seconds = spec?.activeDeadlineSeconds;
  const deadline = seconds === undefined ? "its deadline" : `its deadline of ${seconds} s`;
  const error = new FetchImageError("FI_STEP_TIMED_OUT", {
    message: `${name} was ended at ${deadline}: ${status?.message ?? "its step took longer than its timeout"}`,
  });
  return { kind: "failed", error };
}

function unstarted(pod: string, why: string): PodState {
  const noShell = /"sh": executable file not found|exec: "sh"|no such file or directory/.test(why);
  const error = new FetchImageError("FI_STEP_POD_UNSTARTED", {
    message: `${pod} cannot start: ${why}`,
    retryable: false,
    ...(noShell
      ? { hint: "The image must have a shell `sh` in its PATH: the step's process is started from it." }
      : {}),
  });
  return { kind: "failed", error };
}
