import type { ImageSpec, RanVerdict } from "@fetch-image/core/fetching";
import { type ArtifactImageRequest, ArtifactImages } from "./artifact-images.ts";
import type { BuildContext } from "./build-context.ts";
import { type BuildEvent, BuildEvents } from "./build-events.ts";
import type { BuildFetches } from "./build-fetches.ts";
import type { BuildSecrets } from "./build-secrets.ts";
import { Cancellation } from "./cancellation.ts";
import type { EngineContext } from "./engine-context.ts";
import { type RanImageReport, RanImages } from "./ran-images.ts";
import { logSeal } from "./seal-log.ts";
import type { PastBuild } from "./stored-fetch.ts";

export interface BuildRecordsOptions {
  readonly engine: Pick<EngineContext, "eventLog" | "registry" | "artifactPusher">;
  readonly context: BuildContext;
  /** What the build's stream holds. */
  readonly past: PastBuild;
  readonly secrets: BuildSecrets;
  readonly fetches: Pick<BuildFetches, "find" | "endOf">;
  /** Tells this opening of the build from an earlier one in this process. */
  readonly opening: number;
}

/** What an open build puts down beside its fetches. Most builds have little of it: each part is made with its first. */
export class BuildRecords {
  readonly #options: BuildRecordsOptions;
  #events: BuildEvents | undefined;
  #artifactImages: ArtifactImages | undefined;
  #ran: RanImages | undefined;
  #asking: Cancellation | undefined;

  constructor(options: BuildRecordsOptions) {
    this.#options = options;
  }

  append(event: BuildEvent): Promise<void> {
    this.#events ??= this.#makeEvents();
    return this.#events.append(event);
  }

  resolveArtifactImage(request: ArtifactImageRequest): Promise<ImageSpec> {
    this.#artifactImages ??= this.#makeArtifactImages();
    return this.#artifactImages.resolve(request);
  }

  recordRan(report: RanImageReport): Promise<RanVerdict> {
    this.#ran ??= this.#makeRan();
    return this.#ran.record(report);
  }

  /** Asks registries nothing more of what ran. */
  stopAsking(why: string): void {
    this.#asking?.abort(why);
  }

  /** Writes what is held of the scheduler's texts. Where nothing more can be written, whoever appended has been told. */
  async end(): Promise<void> {
    await this.#events?.end().catch(() => {});
  }

  #makeEvents(): BuildEvents {
    const { engine, context, past, secrets, opening } = this.#options;
    return new BuildEvents({
      ...context,
      opening,
      past: past.events,
      goesOn: past.revision !== undefined,
      scanner: () => secrets.scanner,
      seal: () => logSeal(engine.eventLog, context.buildId),
    });
  }

  #makeArtifactImages(): ArtifactImages {
    const { engine, context, past, fetches } = this.#options;
    return new ArtifactImages({
      ...context,
      pusher: engine.artifactPusher,
      past: past.artifactImages,
      fetch: (fetchId, signal) => fetches.endOf(fetchId, signal),
    });
  }

  #makeRan(): RanImages {
    const { engine, context, past, fetches } = this.#options;
    this.#asking = new Cancellation();
    return new RanImages({
      ...context,
      registry: engine.registry,
      past: past.ran,
      find: (fetchId) => fetches.find(fetchId),
      signal: this.#asking,
    });
  }
}
