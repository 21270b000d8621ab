import type { Digest } from "../image/digest.ts";
import type { CancelSignal } from "./cancel-signal.ts";
import type { ImageArtifact } from "./step-runner.ts";

/** What a step has built, and whose it is. */
export interface ArtifactToPush {
  readonly artifact: ImageArtifact;
  /** As the task names it. */
  readonly name: string;
  readonly buildId: string;
  readonly team?: string;
  readonly pipeline?: string;
  readonly job?: string;
  /** The plan of the task that is to run in it. */
  readonly planId: string;
}

export interface PushedArtifact {
  /** `domain/path:tag@digest`, what nodes pull. */
  readonly reference: string;
  readonly digest: Digest;
  /** What the registry did not have. */
  readonly uploadedBytes: number;
}

/** Brings what a step has built to a registry that nodes pull from. */
export interface ArtifactPusher {
  /**
   * The same bytes give the same digest, so that a push may be repeated. Rejects with `FI_ARTIFACT_INVALID` where they are
   * no image, and as the registry refuses.
   */
  push(artifact: ArtifactToPush, options: { readonly signal: CancelSignal }): Promise<PushedArtifact>;
}
