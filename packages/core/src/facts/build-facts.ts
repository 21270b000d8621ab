import { z } from "zod";
import { checkEvidence, failure, jsonObject, rejected, resolvedVia, time, version } from "./schema.ts";

const fetchId = z.string();

/** Facts of a `build-<buildId>` stream, by type: the schema of each one's data. The first shapes are permanent. */
export const buildFactSchemas = {
  /** The stream's first fact. */
  BuildOpened: z.object({
    buildId: z.string(),
    team: z.string().exactOptional(),
    pipeline: z.string().exactOptional(),
    job: z.string().exactOptional(),
    /** The version of the build-log renderer that this build's log keeps. */
    renderer: z.string(),
  }),
  /** Another node writes from here on; the one before is fenced. */
  BuildAdopted: z.object({ buildId: z.string(), from: z.string() }),
  /** The plan of the whole build, public form, as the scheduler gave it. */
  BuildPlanned: z.object({ buildId: z.string(), plan: jsonObject }),
  /** An event of the scheduler's own, as Concourse's build logs have them: `status`, `initialize-task`, `log`… */
  BuildEventSaved: z.object({
    buildId: z.string(),
    /** The scheduler's name for it, unique in the build; the parts of a long text have it in common. */
    key: z.string(),
    event: z.string(),
    /** Without the time, which is the fact's. */
    data: jsonObject,
  }),
  /** The build's log has ended: what its Concourse stream hashes to, whoever renders it, at any later time. */
  BuildLogSealed: z.object({
    buildId: z.string(),
    renderer: z.string(),
    /** How many events it has, the end aside. */
    events: z.number(),
    /** 64 lower-case hex digits, of the stream's bytes, the end with them. */
    sha256: z.string(),
  }),

  /** An image is wanted. Everything the machine decides on later stands here. */
  FetchRequested: z.object({
    /** The id of the get plan. */
    fetchId,
    /** The plan of the step that needs the image. */
    planId: z.string(),
    /** A task's image is announced in the build log; a type's stands in the build plan. */
    kind: z.enum(["task", "type"]),
    name: z.string(),
    type: z.string(),
    /** The source without credentials; empty for types whose fields we do not know. */
    source: jsonObject,
    /** Whether the source held what no fact does (credentials, certificates): a resumed fetch needs it from the scheduler. */
    credentials: z.boolean(),
    /** Id of the resource config scope; absent where the check is not ours. */
    scope: z.string().exactOptional(),
    /** Canonical, without tag and digest; absent for other types than registry-image, and where only the check tells it. */
    repository: z.string().exactOptional(),
    /** The source's tag. */
    tag: z.string().exactOptional(),
    checkPlan: jsonObject.exactOptional(),
    /** How old an observation may be that answers; absent where no check is ours, or an older version wrote the fact. */
    interval: z.union([z.number(), z.literal("never")]).exactOptional(),
    /** Triggered by hand. */
    skipInterval: z.boolean().exactOptional(),
    getPlan: jsonObject,
    /** The version on the get plan. */
    version: version.exactOptional(),
    privileged: z.boolean(),
    /** Whether the runtime lets a kubelet pull (`nativeImageFetch`). */
    native: z.boolean(),
    /** A later step asked for the bytes. */
    artifactWanted: z.boolean(),
    /** A field of the source that we cannot answer faithfully: the fetch is physical. */
    unsupported: z.object({ field: z.string(), reason: z.string() }).exactOptional(),
    /** Who runs the check: the registry client itself, or a step of the build. */
    checker: z.enum(["registry", "step"]),
    /** Whether a policy is asked. */
    policy: z.boolean(),
    retry: z.object({
      attempts: z.number(),
      baseMs: z.number(),
      capMs: z.number(),
      /** The longest Retry-After that is waited for. */
      patienceMs: z.number(),
      /** 0 to 1, from a hash of the fetch: spreads the delays of many fetches, the same in every replay. */
      jitter: z.number(),
    }),
    /** How long another fetch's check is waited for before this fetch asks itself. */
    joinMs: z.number(),
  }),
  PolicyDecided: z.object({
    fetchId,
    phase: z.enum(["request", "digest"]),
    decision: z.enum(["allowed", "denied"]),
    /** Of a denial: `soft` is a warning. */
    enforcement: z.enum(["hard", "soft"]).exactOptional(),
    reasons: z.array(z.string()).readonly(),
  }),
  /** The policy gave no answer, so nothing is fetched. */
  PolicyUnanswered: z.object({ fetchId, phase: z.enum(["request", "digest"]), failure }),
  /** Concourse's announcement that a task's image is checked. */
  ImageCheck: z.object({ fetchId, planId: z.string(), plan: jsonObject }),
  /** Concourse's announcement that a task's image is fetched. */
  ImageGet: z.object({ fetchId, planId: z.string(), plan: jsonObject }),
  /** Another fetch is asking the same question: its answer is waited for. */
  CheckJoined: z.object({ fetchId, asker: z.object({ buildId: z.string(), fetchId: z.string() }) }),
  ImageChecked: z.object({
    fetchId,
    version,
    evidence: checkEvidence,
    /** Answers that were there and were not taken, and why. */
    rejected: z.array(rejected).readonly(),
  }),
  ImageCheckFailed: z.object({ fetchId, failure, retryAfterMs: z.number().exactOptional() }),
  TimerFired: z.object({ fetchId, timer: z.enum(["backoff", "patience"]) }),
  ImageVersionResolved: z.object({
    fetchId,
    version,
    /** `domain/path:tag@digest`; absent for other types than registry-image. */
    reference: z.string().exactOptional(),
    via: resolvedVia,
    /** False where nobody knew a digest: the reference may mean another image tomorrow. */
    pinned: z.boolean(),
    /** When the digest was observed at the registry; absent for pins. */
    observedAt: time.exactOptional(),
    /** The age of that observation when it was used. */
    ageMs: z.number().exactOptional(),
    evidence: checkEvidence.exactOptional(),
    rejected: z.array(rejected).readonly(),
  }),
  /** Ended with an ImageURL and no download. */
  ImageShortCircuited: z.object({ fetchId, imageURL: z.string() }),
  ArtifactFetched: z.object({ fetchId, artifact: z.string() }),
  ArtifactFetchFailed: z.object({ fetchId, failure, retryAfterMs: z.number().exactOptional() }),
  /** What a check or get step of the fetch printed, in whole lines where it could be, secrets cut. */
  OutputWritten: z.object({ fetchId, planId: z.string(), origin: z.enum(["stdout", "stderr"]), text: z.string() }),
  /** What a task runs in whose `image:` names what an earlier step has made: what nodes pull for it. */
  ArtifactImageResolved: z.object({
    /** The task's. */
    planId: z.string(),
    /** As the task names it. */
    artifact: z.string(),
    /** `registry`: it was fetched from there, and is pulled by the digest that was. `push`: it was brought to one. */
    via: z.enum(["registry", "push"]),
    /** The fetch that brought the artifact, where there is one. */
    fetchedBy: z.string().exactOptional(),
    /** `domain/path:tag@digest`. */
    reference: z.string(),
    /** Of the artifact's blobs, what the registry did not have. */
    uploadedBytes: z.number().exactOptional(),
  }),
  /** What the container runtime says that it runs, compared with what the fetch resolved. */
  ImageRan: z.object({
    fetchId,
    /** In the runtime's words: the container status's `imageID`. */
    imageID: z.string(),
    /** The pod, where the host names it. */
    pod: z.string().exactOptional(),
    /** The digest in `imageID`. */
    digest: z.string().exactOptional(),
    /** The digest that was resolved; absent where there was none. */
    resolved: z.string().exactOptional(),
    /** `platform`: an image of the resolved index, or the other way round. `unknown`: nobody can tell. */
    outcome: z.enum(["same", "platform", "different", "unknown"]),
    /** Why nobody can tell. */
    reason: z.string().exactOptional(),
  }),
  FetchFailed: z.object({ fetchId, failure }),
  FetchAborted: z.object({ fetchId, reason: z.string() }),
} as const;

export type BuildFactType = keyof typeof buildFactSchemas;
export type BuildFactData<T extends BuildFactType> = z.infer<(typeof buildFactSchemas)[T]>;
