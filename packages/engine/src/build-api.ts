import type { ImageResource, ImageSpec, JsonObject, RanVerdict, ResourceType } from "@fetch-image/core/fetching";
import type { ArtifactImageRequest } from "./artifact-images.ts";
import type { BuildEvent } from "./build-events.ts";
import type { RanImageReport } from "./ran-images.ts";
import type { FetchImageRequest } from "./request.ts";
import type { FetchSummary } from "./stored-fetch.ts";
import type { TraceHeaders } from "./trace-context.ts";

export interface OpenBuildOptions extends TraceHeaders {
  /** The build's id, unique in the event log. */
  readonly id: string;
  readonly team?: string;
  readonly pipeline?: string;
  readonly job?: string;
  /** The build's plan in its public form: names, types and versions only. */
  readonly plan?: JsonObject;
  /** Values that must never be stored, whatever step prints them; those of fetches' requests are added to them. */
  readonly secrets?: readonly string[];
  /**
   * The scheduler has just made the build, so there is nothing of it to be read. Where there is all the same, its first
   * fetch or event is refused as of a build that another node adopted, and nothing is written: opened again without this,
   * it goes on from what is stored. Default: false.
   */
  readonly isNew?: boolean;
}

/** A task's image, as its step hands it over. */
export interface FetchTaskImageRequest extends TraceHeaders {
  /** The id of the task's plan. */
  readonly stepId: string;
  readonly imageResource: ImageResource;
  readonly resourceTypes: readonly ResourceType[];
  readonly privileged: boolean;
  readonly tags?: readonly string[];
  /** The build was triggered by hand: ask whatever the check interval says. */
  readonly skipInterval?: boolean;
  readonly signal?: AbortSignal;
  readonly secrets?: readonly string[];
}

export interface Build extends AsyncDisposable {
  readonly id: string;
  /**
   * Resolves the image, or fetches its artifact; resolves once the last fact is durable. The same get plan in the same
   * build is the same fetch: a second call, after a crash too, joins it or gives its result.
   * Rejects with a `FetchImageError`.
   */
  fetchImage(request: FetchImageRequest): Promise<ImageSpec>;
  /** The task delegate: plans check and get of an `image_resource`, announces them in the build log, and fetches. */
  fetchTaskImage(request: FetchTaskImageRequest): Promise<ImageSpec>;
  /**
   * What a task runs in whose `image:` names what an earlier step has made: an ImageURL, since nodes pull from registries.
   * What a fetch of this build has brought from one is pulled by the very digest; what a step has built is pushed first,
   * and pulled by the digest that the push gave. A fact records which; a second call for the task gives what it records.
   * Rejects with `FI_PUSH_REGISTRY_MISSING`, `FI_ARTIFACT_INVALID`, `FI_PLAN_UNKNOWN`, and as fetch and push fail.
   */
  resolveArtifactImage(request: ArtifactImageRequest): Promise<ImageSpec>;
  /**
   * Puts an event of the scheduler's own into the build's log: `status`, `initialize-task`, `log`… Resolves once it is
   * durable. One whose key is stored already is not stored again, so that whoever does not know what became of an append
   * repeats it. The time is the writer's. Secrets are cut out, over the borders of a step's texts too: what may be the
   * beginning of one is held until more of its origin has come, the step or the build has ended, or the build is closed.
   * With the last status the log's hash is kept, and nothing more is taken.
   * Rejects with `FI_EVENT_INVALID` where Concourse's clients would not read it, or the build has ended.
   */
  append(event: BuildEvent): Promise<void>;
  /**
   * Puts down what a container runtime says that it runs, the `imageID` of a container's status, for a scheduler that runs
   * pods itself: compared with what the fetch resolved, and the outcome is a fact. A digest that differs from the resolved
   * one is looked for in the index that the registry has under the resolved one, with one request for each digest.
   * Resolves once it is durable; the same said again is not stored again. Rejects with `FI_PLAN_UNKNOWN` for a fetch that
   * the build does not have, and as an append does; a registry that cannot be asked makes the outcome `unknown`.
   */
  recordRan(ran: RanImageReport): Promise<RanVerdict>;
  /** The fetches so far, in the order they were requested. */
  fetches(): readonly FetchSummary[];
  /** Resolves when every fact so far is durable. */
  drained(): Promise<void>;
  /**
   * Lets go of the build: its fetches in flight stop without a fact, and whoever opens it next resumes them. A build that
   * has ended must be closed, since its fetches are kept in memory until then.
   */
  close(): Promise<void>;
}
