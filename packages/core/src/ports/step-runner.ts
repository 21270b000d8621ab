import type { CheckPlan, GetPlan, Version } from "../plan/plan.ts";
import type { CancelSignal } from "./cancel-signal.ts";

/** Where an image's bytes are, in words that the host understands: a directory, a volume's handle. */
export interface ImageArtifact {
  readonly handle: string;
}

/** What a fetch returns to the runtime. */
export interface ImageSpec {
  /** `docker:///` and an image reference: the kubelet pulls it. */
  readonly imageURL?: string;
  readonly imageArtifact?: ImageArtifact;
  /** The image resource's type, where the image was not resolved natively. */
  readonly resourceType?: string;
  readonly privileged: boolean;
}

export interface StepContext {
  readonly buildId: string;
  /** Whose build it is, as far as the scheduler said. */
  readonly team?: string;
  readonly pipeline?: string;
  readonly job?: string;
  readonly signal: CancelSignal;
  /** The same for every attempt at this one step, also after a crash: a runner uses it to find what it started before. */
  readonly effectKey: string;
  /** The image that the step itself runs in: of the plan's own type, resolved first. Base types have only `resourceType`. */
  readonly image: ImageSpec;
  /**
   * Where the step's output goes. Text, in whatever pieces it comes. The build log takes 256 KiB a second of each origin,
   * less while the store is away; who waits for the promise loses nothing. Of what comes without waiting, 256 KiB are kept,
   * and a line in the log says how much was cut. Never rejects.
   */
  readonly output: (chunk: string, origin: "stdout" | "stderr") => Promise<void>;
  /**
   * What the container runtime says that the step's container runs, its `imageID`: compared with what was resolved for
   * `image`. Never rejects. Absent where nobody compares.
   */
  readonly ran?: (imageID: string) => Promise<void>;
}

/** The host's own way to run a check or a get as a step of the build. It may be called again for the same step. */
export interface StepRunner {
  /** Versions in the order the resource gave them; the last one is the newest. */
  check(plan: CheckPlan, context: StepContext): Promise<readonly Version[]>;
  /** `plan.get.version` is always set. */
  get(plan: GetPlan, context: StepContext): Promise<ImageArtifact>;
}
