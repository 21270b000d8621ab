import type { Clock, Hash, ImageSpec, Logger, NewFact, Policy, StepRunner } from "@fetch-image/core/fetching";
import type { Writes } from "./build-writer.ts";
import type { EngineTelemetry } from "./engine-telemetry.ts";
import type { RanImageReport } from "./ran-images.ts";
import type { FetchImageRequest } from "./request.ts";
import type { ScopeBook } from "./scope-book.ts";

/** What the fetches of a build, and all else that it puts down, need of it. */
export interface BuildContext {
  readonly buildId: string;
  readonly team: string | undefined;
  readonly pipeline: string | undefined;
  readonly job: string | undefined;
  readonly stream: string;
  readonly node: string;
  readonly clock: Clock;
  readonly hash: Hash;
  readonly logger: Logger;
  readonly telemetry: EngineTelemetry;
  readonly policy: Policy | undefined;
  readonly stepRunner: StepRunner | undefined;
  readonly artifacts: Pick<StepRunner, "get"> | undefined;
  readonly scopes: ScopeBook | undefined;
  /** Milliseconds since the epoch; never less than before within the build. */
  readonly stampTime: () => number;
  /** As `submit`, for who is called rather than waits. */
  readonly write: (facts: readonly NewFact[], writes: Writes) => void;
  /** Resolves once the facts are durable. */
  readonly submit: (facts: readonly NewFact[]) => Promise<void>;
  /** Cuts every secret that the build was told. */
  readonly redact: (text: string) => string;
  /** What a step of this build ran in; never rejects. */
  ran(report: RanImageReport): Promise<void>;
  /** Fetches the image that a plan's own step runs in, by the same rules. */
  fetchImage(request: FetchImageRequest): Promise<ImageSpec>;
}
