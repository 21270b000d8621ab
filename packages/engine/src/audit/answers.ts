// What the audit answers: plain JSON, times in ISO 8601, UTC.
import type { Digest, JsonObject, Version } from "@fetch-image/core/fetching";

/** One page of a long answer. */
export interface AuditPage<Row> {
  readonly rows: readonly Row[];
  /** Where the next page begins, opaque; absent on the last one. */
  readonly next?: string;
  /** Builds that were opened before this time may have been dropped from the audit, and the question reaches there: what
   *  they ran is not told. Absent where the answer is of all builds that there were. */
  readonly droppedBefore?: string;
}

/** A fetch of a build. */
export interface AuditFetch {
  readonly build: string;
  /** The id of its get plan. */
  readonly fetch: string;
}

/** An image of a build: what it became, and how. */
export interface AuditImage extends AuditFetch {
  readonly team?: string;
  readonly pipeline?: string;
  readonly job?: string;
  /** The plan of the step that needed the image. */
  readonly plan: string;
  /** What that step is called, where the build's plan is known; of a type's type, the type. */
  readonly step?: string;
  readonly kind?: string;
  /** The resource type whose image it is; absent for a task's own, and for what a get fetched. */
  readonly resourceType?: string;
  /** The type of the image itself, `registry-image` mostly. */
  readonly type?: string;
  readonly state?: string;
  /** `domain/path:tag@digest`. */
  readonly image?: string;
  readonly imageURL?: string;
  readonly artifact?: string;
  readonly digest?: string;
  readonly version?: Version;
  /** How the version was chosen: `pin`, `HEAD`, `fresh`… */
  readonly via?: string;
  /** Whether the pipeline pins it. */
  readonly pinned?: boolean;
  /** When the registry gave the digest. */
  readonly observedAt?: string;
  readonly requestedAt?: string;
  readonly endedAt?: string;
}

/** Why an image of a build is the one it is. */
export interface AuditReason extends AuditImage {
  /** What was chosen; absent where nothing was. */
  readonly chosen?: string;
  readonly because?: string;
  /** False where nobody knew a digest: the reference may mean another image at the next pull. */
  readonly digestKnown?: boolean;
  /** In the order in which they come into question. */
  readonly candidates?: readonly { readonly candidate: string; readonly taken: boolean; readonly reason: string }[];
  readonly evidence?: { readonly [name: string]: string };
  readonly failure?: JsonObject;
}

/** Whose history it is: one for each tag or rule, and each identity that asks. */
export interface AuditScope {
  readonly scope: string;
  readonly type?: string;
  /** What is asked for: canonical, without tag. */
  readonly repository?: string;
  /** What is pulled from, where only the login told it. */
  readonly pullRepository?: string;
  /** Absent where the version is found among all tags. */
  readonly tag?: string;
  /** How it is found then: `semver_constraint ~> 1.2`. */
  readonly rule?: string;
  /** `cred-…`; null for anonymous; absent where it is not known. */
  readonly credential?: string | null;
  /** `linux/arm64`; absent where it makes no difference, as for a tag. */
  readonly platform?: string;
  /** The public source of who asked last: whatever else tells this history from another. */
  readonly source?: JsonObject;
}

export interface AuditVersion {
  readonly tag?: string;
  readonly digest?: string;
}

/** One check of a registry that was answered. */
export interface AuditObservation extends AuditVersion {
  readonly at: string;
  /** The registry had no such version. */
  readonly vanished: boolean;
  readonly by: AuditFetch;
  readonly host?: string;
}

export interface AuditStay extends AuditVersion {
  readonly vanished: boolean;
  readonly firstObservedAt: string;
  readonly lastObservedAt: string;
  readonly observations: number;
  readonly firstObservedBy: AuditFetch;
  /** The newest one: what a fetch would take that need not ask. */
  readonly current: boolean;
}

export interface AuditHistory extends AuditScope {
  /** The newest first. */
  readonly stays: readonly AuditStay[];
  /** Give it as `before` for older ones; absent where there are none. */
  readonly before?: string;
  readonly lastCheckedAt?: string;
  /** Why the last check failed, where the last one did. */
  readonly lastFailure?: string;
}

/** What a scope said at a time. */
export interface AuditAsOf extends AuditScope {
  readonly time: string;
  /** `unknown` before the first observation. */
  readonly known: "observed" | "vanished" | "unknown";
  readonly version?: AuditVersion;
  /** `domain/path:tag@digest`. */
  readonly image?: string;
  /** The last observation at or before the time. */
  readonly last?: AuditObservation;
  /** The next one after it. */
  readonly next?: AuditObservation;
  /** Whether the next one found the same; null where there is none yet. */
  readonly sameAfter: boolean | null;
  /** The last check that failed between the last observation and the time. */
  readonly failed?: { readonly at: string; readonly code: string; readonly message: string };
}

/** A tag that moved. */
export interface AuditMove extends AuditScope {
  /** `vanished`: the registry has it no more; `returned`: it has one again. */
  readonly kind: "moved" | "vanished" | "returned";
  /** The version before, and when it was last seen. */
  readonly from: AuditVersion & { readonly lastObservedAt: string };
  /** Null where it vanished. */
  readonly to: AuditVersion | null;
  readonly observedAt: string;
  /** The fetch whose check found it. */
  readonly observedBy: AuditFetch;
  /** The first build that ran the new version because of it; null where none has yet. */
  readonly firstBuild: (AuditFetch & { readonly requestedAt?: string }) | null;
}

/** An image of a build to be run again. */
export type RerunImage = AuditImage &
  (
    | {
        readonly repeatable: true;
        /** `domain/path:tag@digest`. */
        readonly image: string;
        readonly digest: Digest;
        /** What the step was given: an ImageURL, or the bytes. */
        readonly needs: "image" | "artifact";
      }
    | { readonly repeatable: false; readonly because: string }
  );

export interface RerunPlan {
  readonly build: string;
  readonly team?: string;
  readonly pipeline?: string;
  readonly job?: string;
  readonly images: readonly RerunImage[];
  /** Whether all of them can be. */
  readonly repeatable: boolean;
}
