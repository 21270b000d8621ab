import type { JsonObject } from "../json.ts";
import type { CancelSignal } from "./cancel-signal.ts";

/** What a policy sees: never a secret. */
export interface PolicyQuestion {
  readonly phase: "request" | "digest";
  readonly buildId: string;
  readonly team?: string;
  readonly pipeline?: string;
  readonly job?: string;
  /** The image resource's name. */
  readonly name: string;
  readonly type: string;
  /** The source without credentials; only `repository` and the like for a registry-image, nothing for other types. */
  readonly source: JsonObject;
  readonly privileged: boolean;
  /** `domain/path:tag@digest`, in phase "digest". */
  readonly reference?: string;
}

/** `soft` denials are warnings: the fetch goes on. */
export type PolicyDecision =
  | { readonly decision: "allowed" }
  | { readonly decision: "denied"; readonly enforcement: "hard" | "soft"; readonly reasons: readonly string[] };

/** Asked before any request leaves, and again once the digest is known. Asking must change nothing. */
export interface Policy {
  decide(question: PolicyQuestion, options: { readonly signal: CancelSignal }): Promise<PolicyDecision>;
}
