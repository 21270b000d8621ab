import {
  type ArtifactPusher,
  type BuildFact,
  type BuildFactData,
  buildFactToStore,
  type FetchState,
  FetchImageError,
  type ImageArtifact,
  type ImageSpec,
  imageURL,
  parseReference,
} from "@fetch-image/core/fetching";
import type { BuildContext } from "./build-context.ts";
import { Cancellation } from "./cancellation.ts";
import { outcomeOf } from "./fetch-outcome.ts";
import { expectMany } from "./many-listeners.ts";

/** A task whose `image:` names what an earlier step of the build has made. */
export interface ArtifactImageRequest {
  /** The id of the task's plan. */
  readonly planId: string;
  /** As the task names it. */
  readonly artifact: string;
  /** What made it: a fetch of this build, by the id of its get plan; or a step, whose output is there. */
  readonly from: { readonly fetchId: string } | ImageArtifact;
  readonly privileged: boolean;
  readonly signal?: AbortSignal;
}

type Resolved = BuildFactData<"ArtifactImageResolved">;

export interface ArtifactImagesOptions extends Pick<
  BuildContext,
  "buildId" | "team" | "pipeline" | "job" | "stream" | "node" | "hash" | "stampTime" | "submit"
> {
  readonly pusher: ArtifactPusher | undefined;
  /** What the build's stream holds. */
  readonly past: ReadonlyMap<string, Resolved>;
  /** The fetch's state once it has ended; undefined where there is no such fetch. */
  readonly fetch: (fetchId: string, signal: AbortSignal | undefined) => Promise<FetchState | undefined>;
}

/** What the tasks of an open build run in whose image is an artifact. */
export class ArtifactImages {
  readonly #options: ArtifactImagesOptions;
  readonly #known: Map<string, Promise<Resolved>>;

  constructor(options: ArtifactImagesOptions) {
    this.#options = options;
    this.#known = new Map([...options.past].map(([planId, resolved]) => [planId, Promise.resolve(resolved)]));
  }

  /** Once for each task: a second call gives what the first came to, after a crash too. */
  async resolve(request: ArtifactImageRequest): Promise<ImageSpec> {
    const { planId, privileged } = request;
    const known = this.#known.get(planId);
    const resolving = known ?? this.#record(request);
    if (known === undefined) {
      this.#known.set(planId, resolving);
      // Whoever asks again tries again.
      resolving.catch(() => this.#known.delete(planId));
    }
    const { reference } = await resolving;
    return { imageURL: imageURL(reference), privileged };
  }

  async #record(request: ArtifactImageRequest): Promise<Resolved> {
    const { stream, node, hash, buildId, stampTime, submit } = this.#options;
    const data = await this.#resolved(request);
    const fact: BuildFact = { type: "ArtifactImageResolved", data };
    const key = `artifact-image\n${request.planId}`;
    await submit([buildFactToStore(fact, { stream, key, buildId, node, at: stampTime() }, hash)]);
    return data;
  }

  async #resolved(request: ArtifactImageRequest): Promise<Resolved> {
    const { planId, artifact, from, signal } = request;
    if ("handle" in from) return await this.#pushed(request, from);
    const { fetchId } = from;
    const state = await this.#options.fetch(fetchId, signal);
    if (state === undefined) throw this.#unknown(fetchId);
    const outcome = outcomeOf(state);
    if (!outcome.ok) throw outcome.error;
    const reference = state.resolved?.reference;
    // A tag may lead elsewhere by now: only the digest is what was fetched.
    if (reference !== undefined && hasDigest(reference)) {
      return { planId, artifact, via: "registry", fetchedBy: fetchId, reference };
    }
    const { imageArtifact } = outcome.imageSpec;
    if (imageArtifact === undefined) throw this.#unknown(fetchId);
    return { ...(await this.#pushed(request, imageArtifact)), fetchedBy: fetchId };
  }

  async #pushed({ planId, artifact: name, signal }: ArtifactImageRequest, artifact: ImageArtifact): Promise<Resolved> {
    const { pusher, buildId, team, pipeline, job } = this.#options;
    if (pusher === undefined) throw noRegistry(name, buildId);
    const whose = {
      ...(team === undefined ? {} : { team }),
      ...(pipeline === undefined ? {} : { pipeline }),
      ...(job === undefined ? {} : { job }),
    };
    const cancellation = new Cancellation();
    const onAbort = (): void => cancellation.abort("nobody waits for the image any more");
    expectMany(signal);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const toPush = { artifact, name, buildId, ...whose, planId };
      const { reference, uploadedBytes } = await pusher.push(toPush, { signal: cancellation });
      return { planId, artifact: name, via: "push", reference, uploadedBytes };
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #unknown(fetchId: string): FetchImageError {
    const { buildId } = this.#options;
    return new FetchImageError("FI_PLAN_UNKNOWN", {
      message: `build ${buildId} has fetched no artifact for plan ${fetchId}`,
      hint: "Fetch it first: fetchImage with `artifact: true`.",
      details: { build: buildId, plan: fetchId },
    });
  }
}

function hasDigest(reference: string): boolean {
  const parsed = parseReference(reference);
  return parsed.ok && parsed.reference.digest !== undefined;
}

function noRegistry(artifact: string, build: string): FetchImageError {
  return new FetchImageError("FI_PUSH_REGISTRY_MISSING", {
    message: `artifact ${artifact} of build ${build} was built by a step, and nodes pull from registries alone`,
    details: { artifact, build, setting: "push-registry" },
  });
}
