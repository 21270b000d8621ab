import type { CheckPlan, GetPlan, Version } from "../plan/plan.ts";
import type { CancelSignal } from "./cancel-signal.ts";

/** Where an image's bytes are, in words that the host understands (`digest:sha256:…`, a volume's handle). */
export interface ImageArtifact {
  readonly handle: string;
}

export interface StepContext {
  readonly buildId: string;
  readonly signal: CancelSignal;
  /** The same for every attempt at this one step, also after a crash: a runner uses it to find what it started before. */
  readonly effectKey: string;
  /** Where the step's output goes. Text, in whatever pieces it comes. */
  readonly output: (chunk: string, origin: "stdout" | "stderr") => void;
}

/** The host's own way to run a check or a get as a step of the build. It may be called again for the same step. */
export interface StepRunner {
  /** Versions in the order the resource gave them; the last one is the newest. */
  check(plan: CheckPlan, context: StepContext): Promise<readonly Version[]>;
  get(plan: GetPlan & { readonly version: Version }, context: StepContext): Promise<ImageArtifact>;
}
