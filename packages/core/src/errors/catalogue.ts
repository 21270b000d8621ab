/** What one error code means. `says` and `fix` are the generic wording; a thrown error names its own culprit. */
export interface ErrorEntry {
  /** Whether the same request may succeed later without anything being changed. */
  readonly retryable: boolean;
  readonly says: string;
  readonly fix: string;
}

/** Every error FetchImage can give. The codes are public API; `docs/errors.md` is printed from this table. */
export const catalogue = {
  // References, sources, plans: the input is wrong.
  FI_REFERENCE_INVALID: {
    retryable: false,
    says: "the text is not an image reference",
    fix: "Write it as [domain/]path[:tag][@sha256:<64 hex>], the path in lower case.",
  },
  FI_SOURCE_INVALID: {
    retryable: false,
    says: "the source of a registry-image is not valid",
    fix: "Correct the named field of `source`.",
  },
  FI_SOURCE_UNSUPPORTED: {
    retryable: false,
    says: "a field of the source cannot be answered natively, and nothing else can run the check",
    fix: "Give the engine a stepRunner that runs the resource type itself, or remove the named field.",
  },
  FI_PAYLOAD_INVALID: {
    retryable: false,
    says: "what stands on standard input is no payload for a resource",
    fix: "Correct the named field of the payload.",
  },
  FI_PIPELINE_INVALID: {
    retryable: false,
    says: "the pipeline is not valid",
    fix: "Correct the named place in the pipeline file.",
  },
  FI_PIPELINE_DIFFERS: {
    retryable: false,
    says: "the pipeline is not the one that the build ran",
    fix: "Give the pipeline as it was when the build ran.",
  },
  FI_PIPELINE_UNREADABLE: { retryable: false, says: "the pipeline file cannot be read", fix: "Check the path." },
  FI_JOB_UNKNOWN: { retryable: false, says: "the pipeline has no such job", fix: "Name one of the jobs listed." },
  FI_RESOURCE_UNKNOWN: {
    retryable: false,
    says: "the pipeline has no such resource",
    fix: "Name one of the resources listed.",
  },
  FI_VAR_MISSING: {
    retryable: false,
    says: "a ((var)) has no value",
    fix: "Give it with --var name=value, a --load-vars-from file, or a var source.",
  },
  FI_RESOURCE_TYPE_CYCLE: {
    retryable: false,
    says: "a resource type depends on itself",
    fix: "Break the cycle named in the message; name the inner type differently from the outer.",
  },
  FI_COMPARISON_INVALID: {
    retryable: false,
    says: "what the scheduler fetched is told in a way that cannot be compared",
    fix: "Give the build, the get plan, and what it came to: a digest, a version, a reference or a failure.",
  },
  FI_POD_INVALID: {
    retryable: false,
    says: "a step cannot be run as a pod",
    fix: "Change what the message names: in the step, or in the settings of pods.",
  },
  FI_PULL_SECRET_INVALID: {
    retryable: false,
    says: "a pull secret cannot be read, or its login not be written so that a kubelet reads it",
    fix: "Make the Secret anew: kubectl create secret docker-registry.",
  },
  FI_USAGE: { retryable: false, says: "the command line is wrong", fix: "See --help." },
  FI_SETTING_INVALID: { retryable: false, says: "a setting has no valid value", fix: "Correct the named setting." },

  // Registries.
  FI_REGISTRY_UNREACHABLE: {
    retryable: true,
    says: "the registry cannot be reached",
    fix: "Check the host name, the network and the proxy settings.",
  },
  FI_REGISTRY_TIMEOUT: {
    retryable: true,
    says: "the registry did not answer in time",
    fix: "Try again later, or raise the registry timeout.",
  },
  FI_REGISTRY_UNAVAILABLE: {
    retryable: true,
    says: "the registry answered with a server error",
    fix: "Try again later; ask the registry's operator if it lasts.",
  },
  FI_REGISTRY_TLS: {
    retryable: false,
    says: "the registry's certificate is not trusted",
    fix: "Add its CA to `ca_certs` of the source. `insecure` allows http; it never skips certificate checks.",
  },
  FI_UNAUTHORIZED: {
    retryable: false,
    says: "the registry refused the credentials, or wants some",
    fix: "Check `username` and `password` of the source.",
  },
  FI_FORBIDDEN: {
    retryable: false,
    says: "the credentials may not read this repository",
    fix: "Grant them pull access to the repository.",
  },
  FI_RATE_LIMITED: {
    retryable: true,
    says: "the registry's rate limit is used up",
    fix: "Wait until the time named, give credentials with a higher limit, or use a mirror.",
  },
  FI_IMAGE_UNKNOWN: {
    retryable: false,
    says: "the registry has no such repository, tag or digest",
    fix: "Check the spelling of repository and tag. Some registries answer so when credentials are missing.",
  },
  FI_DIGEST_MISMATCH: {
    retryable: false,
    says: "the bytes do not hash to the digest they were promised under",
    fix: "Do not trust this registry or the proxy before it; compare with another client.",
  },
  FI_REGISTRY_PROTOCOL: {
    retryable: false,
    says: "the answer is not what the OCI distribution API prescribes",
    fix: "Check that the host is a registry and not a web page or proxy.",
  },
  FI_REGISTRY_UNTRUSTED: {
    retryable: false,
    says: "the registry named another host that must not get credentials or be asked",
    fix: "If the host is right, add it to the allowed realms of the registry settings.",
  },
  FI_ANSWER_TOO_LARGE: {
    retryable: false,
    says: "the registry's answer is larger than the bound",
    fix: "Check that the host is a registry; the bounds are in the settings table.",
  },
  FI_LAYER_INVALID: {
    retryable: false,
    says: "a layer of the image is not an archive that can be unpacked",
    fix: "Build and push the image again; the message names the layer, the entry and what is wrong with it.",
  },
  FI_LAYER_TOO_LARGE: {
    retryable: false,
    says: "a layer of the image unpacks to more than the bound",
    fix: "If the image is meant to be so, raise the named limit of unpacking.",
  },
  FI_PLATFORM_UNAVAILABLE: {
    retryable: false,
    says: "the image is not built for the platform",
    fix: "Push one for the platform, or set `platform` in the source.",
  },

  // The fetch itself.
  FI_CHECK_FAILED: {
    retryable: false,
    says: "image check failed",
    fix: "See the cause.",
  },
  FI_NO_VERSION: {
    retryable: false,
    says: "the check found no version of the image",
    fix: "Check that the tag exists; a fetch never guesses one.",
  },
  FI_DESTINATION_UNUSABLE: {
    retryable: false,
    says: "the directory that a get is to fill cannot be written to",
    fix: "Name a directory that this user may make or write to.",
  },
  FI_ARTIFACT_INVALID: {
    retryable: false,
    says: "what a step has built is no image that could be run",
    fix: "Let the step make an OCI layout, an image.tar, or a rootfs directory with metadata.json beside it.",
  },
  FI_PUSH_REGISTRY_MISSING: {
    retryable: false,
    says: "a step's own image is to be run, and there is no registry to push it to",
    fix: "Set push-registry to one that the nodes reach; createFetchImageEngine takes an artifactPusher.",
  },
  FI_GET_FAILED: { retryable: false, says: "image fetching failed", fix: "See the cause." },
  FI_POLICY_DENIED: {
    retryable: false,
    says: "a policy denies the image",
    fix: "Use an allowed image, or ask the policy's owner.",
  },
  FI_POLICY_UNAVAILABLE: {
    retryable: true,
    says: "the policy could not be asked",
    fix: "Check the policy agent. Nothing is fetched without its answer.",
  },
  FI_ABORTED: { retryable: false, says: "the fetch was aborted", fix: "Nothing to fix: somebody asked for it." },
  FI_BASE_TYPE_FETCHED: {
    retryable: false,
    says: "a base resource type was handed to FetchImage as an image to fetch",
    fix: "Base types are resolved by the configured image table; do not plan a fetch for them.",
  },
  FI_STEP_RUNNER_MISSING: {
    retryable: false,
    says: "the fetch needs a check or get run as a step, and no stepRunner is configured",
    fix: "Give createFetchImageEngine a stepRunner.",
  },
  FI_ARTIFACT_STORE_MISSING: {
    retryable: false,
    says: "the fetch needs the image's bytes, and no artifact store is configured",
    fix: "Give createFetchImageEngine an artifact store.",
  },
  FI_ENGINE_BUSY: {
    retryable: true,
    says: "as many fetches are in flight, and wait, as the engine may have",
    fix: "Ask again later, or on another node; or raise maxFetches or maxWaitingFetches of the engine's settings.",
  },
  FI_ENGINE_CLOSED: {
    retryable: true,
    says: "the engine is closed, or about to be",
    fix: "Ask another node, or the next process: what was in flight resumes where its build is opened.",
  },
  FI_BUILD_ADOPTED: {
    retryable: false,
    says: "another node has adopted the build",
    fix: "Stop driving this build here; the other node continues it.",
  },
  FI_EVENT_INVALID: {
    retryable: false,
    says: "an event cannot be put into the build's log",
    fix: "Correct what is named: an event that Concourse's clients do not know makes them stop reading.",
  },
  FI_LOG_UNSEALED: {
    retryable: false,
    says: "nothing was kept that the build's log could be compared with",
    fix: "Compare a build that has ended: its hash is kept with the last `status` that the scheduler appends.",
  },
  FI_LOG_DIFFERS: {
    retryable: false,
    says: "the build's log is not what it was when the build ended",
    fix: "Keep the store as it is and look at both logs: facts were changed, or the renderer is defective.",
  },
  FI_BUILD_UNKNOWN: { retryable: false, says: "there is no such build", fix: "List the builds, or check --data." },
  FI_PLAN_UNKNOWN: {
    retryable: false,
    says: "the build fetched no image for this plan",
    fix: "Use one of the plan ids listed.",
  },

  // Steps that run as pods.
  FI_KUBERNETES_CONFIG_INVALID: {
    retryable: false,
    says: "how the Kubernetes cluster is reached is not configured as it must be",
    fix: "Check --kubeconfig, the context's name and the file it stands in.",
  },
  FI_KUBERNETES_UNAVAILABLE: {
    retryable: true,
    says: "the Kubernetes API cannot be reached, or is busy",
    fix: "Check the API server's address and health; try again later.",
  },
  FI_KUBERNETES_REFUSED: {
    retryable: false,
    says: "the Kubernetes API refused a request",
    fix: "Correct what the server's words name.",
  },
  FI_IMAGE_PULL_FAILED: {
    retryable: false,
    says: "the kubelet cannot pull the image of a step's pod",
    fix: "See the registry's words in the message; the node pulls from where the reference points.",
  },
  FI_STEP_POD_UNSTARTED: {
    retryable: true,
    says: "a step's pod did not start",
    fix: "See the cluster's words in the message; `kubectl describe pod` has more while the pod is there.",
  },
  FI_STEP_POD_LOST: {
    retryable: true,
    says: "a step's pod was evicted, deleted or lost before its step was done",
    fix: "Nothing, where the cluster took the pod away; else give the step more memory or time, as the message says.",
  },
  FI_STEP_FAILED: {
    retryable: false,
    says: "a resource's script ended with an error",
    fix: "See what the script printed; check the source and params that it was given.",
  },
  FI_STEP_TIMED_OUT: {
    retryable: false,
    says: "a step took longer than its timeout, or than the deadline of all pods",
    fix: "Look at what it printed last, or raise the step's `timeout`; where it has none, the pods' `deadlineSeconds`.",
  },
  FI_STEP_ANSWER_INVALID: {
    retryable: false,
    says: "what a resource's script printed is not what the resource protocol wants",
    fix: "Let the script print its JSON, and nothing else, on standard output; messages go to standard error.",
  },

  // Stores.
  FI_WRONG_EXPECTED_REVISION: {
    retryable: false,
    says: "the stream is not at the revision the append expected",
    fix: "Read the stream again and decide anew.",
  },
  FI_APPEND_INVALID: {
    retryable: false,
    says: "the append cannot be stored as given",
    fix: "Correct the facts; this is a defect of the caller.",
  },
  FI_APPEND_OUTCOME_UNKNOWN: {
    retryable: true,
    says: "the store did not say whether it stored the facts",
    fix: "Append the same facts with the same ids and expected revision again.",
  },
  FI_QUERY_INVALID: {
    retryable: false,
    says: "the question cannot be asked like this",
    fix: "Give a digest, a reference or a time as the message says.",
  },
  FI_DIGEST_GONE: {
    retryable: false,
    says: "a digest that is to be run again is no longer in the registry",
    fix: "Push the image again, restore it from a mirror, or run the build with the images of today.",
  },
  FI_NOT_REPEATABLE: {
    retryable: false,
    says: "an image of the build cannot be run again",
    fix: "Run the build with the images of today: nothing names the same bytes.",
  },
  FI_POSITION_INVALID: {
    retryable: false,
    says: "the position is not one that this event log gave",
    fix: "Start from the beginning: rebuild what was projected from another event log.",
  },
  FI_STREAM_DELETED: {
    retryable: false,
    says: "the stream was deleted from the event store for good",
    fix: "Restore the event store from a backup; the stream's name cannot be used again.",
  },
  FI_STORE_UNAVAILABLE: {
    retryable: true,
    says: "the store cannot be reached",
    fix: "Check the database's address and that it runs.",
  },
  FI_STORE_FULL: { retryable: true, says: "the store's disk is full", fix: "Free some space, then try again." },
  FI_STORE_LOCKED: {
    retryable: true,
    says: "another process holds the data directory",
    fix: "Stop the process named, or use another --data directory.",
  },
  FI_STORE_UNREADABLE: {
    retryable: false,
    says: "the data directory cannot be opened",
    fix: "Check the directory's permissions and that it was made by fetch-image.",
  },
  FI_STORE_TOO_NEW: {
    retryable: false,
    says: "the store was written by a newer version",
    fix: "Upgrade fetch-image on this machine.",
  },
  FI_STORES_DIFFER: {
    retryable: false,
    says: "the store that facts are to be copied to holds other facts",
    fix: "Copy to a store that is empty, or that holds a beginning of the source as an interrupted copy left it.",
  },
  FI_ARCHIVE_DAMAGED: {
    retryable: false,
    says: "a file of an archive is not as it was written",
    fix: "Take the file from a copy of the archive. Nothing was restored, and nothing was removed on the strength of it.",
  },
  FI_ARCHIVE_UNUSABLE: {
    retryable: false,
    says: "an archive's directory cannot be read or written",
    fix: "Check the path and its permissions.",
  },
  FI_FACT_UNREADABLE: {
    retryable: false,
    says: "a stored fact does not have the shape its type and schema version prescribe",
    fix: "The store was changed from outside, or by a newer version: upgrade, or restore it.",
  },
  FI_HISTORY_CONTRADICTORY: {
    retryable: false,
    says: "a stream's facts cannot have come from the machine that they name",
    fix: "The store was changed from outside; restore it.",
  },
  FI_INSPECTOR_UNANSWERED: {
    retryable: true,
    says: "the inspector's server does not answer",
    fix: "See whether `fetch-image serve` still runs; an exported stream can be opened without it.",
  },
  FI_INTERNAL: {
    retryable: false,
    says: "a defect of fetch-image",
    fix: "Report it with the build's `replay --json` output.",
  },
} as const satisfies Record<`FI_${string}`, ErrorEntry>;

export type FetchImageErrorCode = keyof typeof catalogue;
