import type { JsonObject } from "../json.ts";
import type { Version } from "../plan/plan.ts";
import type { Position } from "./event-log.ts";

/** Times are ISO 8601, UTC, milliseconds: `2026-11-22T04:40:00.000Z`. Undefined fields of a row leave what is stored. */
export interface BuildRow {
  readonly buildId: string;
  readonly team?: string;
  readonly pipeline?: string;
  readonly job?: string;
  /** What the steps of its plan are, by plan id: `{"2":{"kind":"task","name":"unit"}}`. */
  readonly steps?: JsonObject;
  readonly openedAt?: string;
}

/** One image of one build: what was asked, what it became, and why. Key: build and fetch. */
export interface BuildImageRow {
  readonly buildId: string;
  /** The id of the fetch's get plan. */
  readonly fetchId: string;
  /** The plan of the step that needed the image. */
  readonly planId?: string;
  /** `image` for a task's, the resource type's name for a type's. */
  readonly name?: string;
  readonly type?: string;
  readonly scope?: string;
  /** Canonical, without tag: what is pulled from, once that is known; until then, what was asked for. */
  readonly repository?: string;
  /** The version's tag; until there is one, the source's. */
  readonly tag?: string;
  /** The machine's state, `short-circuited` say. */
  readonly state?: string;
  /** `domain/path:tag@digest`. */
  readonly reference?: string;
  readonly imageURL?: string;
  readonly digest?: string;
  readonly version?: Version;
  /** How the version was chosen: `pin`, `HEAD`, `fresh`… */
  readonly via?: string;
  readonly artifact?: string;
  /** When the registry gave the digest: the time of the observation that was used. Absent for pins. */
  readonly observedAt?: string;
  /** The evidence of `ImageVersionResolved`: candidates in order, each with its reason. */
  readonly evidence?: JsonObject;
  readonly failure?: JsonObject;
  readonly requestedAt?: string;
  readonly endedAt?: string;
}

/** One version history: per type, source without secrets, credential identity. */
export interface ScopeRow {
  readonly scope: string;
  readonly type?: string;
  /** Canonical, without tag: `docker.io/library/busybox`. */
  readonly repository?: string;
  readonly tag?: string;
  /** Canonical, without tag: what to pull from, where only the login told it. ECR's host holds the account. */
  readonly pullRepository?: string;
  /** Who asks: `cred-…`, or `anonymous`. Never the credential itself. */
  readonly credential?: string;
  readonly source?: JsonObject;
  readonly lastCheckedAt?: string;
  readonly lastFailure?: JsonObject;
}

/** One version of a scope. Key: scope, tag, digest. */
export interface VersionRow {
  readonly scope: string;
  readonly tag: string;
  readonly digest: string;
  /** Grows each time this version becomes the scope's current one; undefined leaves it. */
  readonly checkOrder?: bigint;
  /** Kept at the earliest given. */
  readonly firstObservedAt?: string;
  /** Kept at the latest given. */
  readonly lastObservedAt?: string;
}

/**
 * What one check of a scope came to. Key: scope and revision. `changed`: the registry gave another version than the scope
 * had, or the first; `same`: it gave that very version; `vanished`: it has none; `failed`: it gave no answer.
 */
export interface ObservationRow {
  readonly scope: string;
  /** Of the fact in the scope's stream: the order in which things were observed, whatever the nodes' clocks say. */
  readonly revision: bigint;
  readonly outcome: ObservationOutcome;
  /** By the clock of the node that asked. */
  readonly observedAt: string;
  readonly tag?: string;
  readonly digest?: string;
  readonly via?: string;
  readonly host?: string;
  /** HTTP status of the answer. */
  readonly status?: number;
  /** The fetch whose check it was. */
  readonly buildId: string;
  readonly fetchId: string;
  /** The process that asked. */
  readonly node: string;
  readonly failure?: JsonObject;
}

export type ObservationOutcome = "changed" | "same" | "vanished" | "failed";

/** A version's time as its scope's current one, from observation to observation; failed checks end none. */
export interface StayRow {
  readonly scope: string;
  /** Of its first observation. */
  readonly revision: bigint;
  /** `vanished`: the registry had no version meanwhile. */
  readonly outcome: "observed" | "vanished";
  readonly tag?: string;
  readonly digest?: string;
  readonly firstObservedAt: string;
  readonly lastObservedAt: string;
  /** How many observations there were, the first and the last among them. */
  readonly observations: number;
  /** The fetch that observed it first. */
  readonly buildId: string;
  readonly fetchId: string;
}

/** What a page of facts changes. At most one row per key. */
export interface ReadModelChanges {
  readonly builds: readonly BuildRow[];
  readonly images: readonly BuildImageRow[];
  readonly scopes: readonly ScopeRow[];
  readonly versions: readonly VersionRow[];
  readonly observations: readonly ObservationRow[];
}

/** A stretch of time: `since` is in it, `until` is not. */
export interface TimeRange {
  readonly since?: string;
  readonly until?: string;
}

export interface BuildsQuery extends TimeRange {
  readonly limit: number;
  /** Only these, as far as they are there. */
  readonly ids?: readonly string[];
  /** Only those whose facts are in the store, as far as the read model knows: they were not expired. False: the others. */
  readonly stored?: boolean;
  /** The last one of the page before. */
  readonly after?: { readonly openedAt: string; readonly buildId: string };
}

/** Which images of builds are meant; the range is of when they were requested. What was never requested is none. */
export interface ImageFilter extends TimeRange {
  readonly digest?: string;
  /** As in the row. */
  readonly repository?: string;
  readonly tag?: string;
  readonly scope?: string;
  /** Only those whose fetch did not fail and was not aborted: of the others no step ran. */
  readonly ran?: boolean;
}

export interface ImagePage {
  readonly limit: number;
  /** Default: newest. */
  readonly first?: "newest" | "oldest";
  /** The last one of the page before. */
  readonly after?: { readonly requestedAt: string; readonly buildId: string; readonly fetchId: string };
}

/** Which observations are meant: by time in the range, by revision below `before`. */
export interface ObservationFilter extends TimeRange {
  readonly scope?: string;
  readonly outcomes?: readonly ObservationOutcome[];
  readonly before?: bigint;
}

export interface ObservationPage {
  readonly limit: number;
  readonly first: "newest" | "oldest";
  /** Default: `time`, those of one moment by scope and revision. */
  readonly by?: "time" | "revision";
  /** The last one of the page before; only by time. */
  readonly after?: Pick<ObservationRow, "observedAt" | "scope" | "revision">;
}

/**
 * Tables that answer questions; nothing is decided on them. Changes and the checkpoint move in one transaction,
 * so each fact counts once however often a projector dies.
 */
export interface ReadModel {
  /** The position up to which facts are projected; undefined before the first. */
  checkpoint(): Promise<Position | undefined>;
  /** Applies the changes and moves the checkpoint from `from` to `to`; "moved-by-another" (and nothing changed) where it
   *  does not stand at `from`. */
  apply(
    changes: ReadModelChanges,
    move: { readonly from: Position | undefined; readonly to: Position },
  ): Promise<"applied" | "moved-by-another">;
  /** Empties every table and the checkpoint, in one transaction. */
  reset(): Promise<void>;
  build(buildId: string): Promise<BuildRow | undefined>;
  /** Newest first. With a range or `after`, only those whose opening is known. */
  builds(query: BuildsQuery): Promise<readonly BuildRow[]>;
  /** In the order they were requested. */
  imagesOfBuild(buildId: string): Promise<readonly BuildImageRow[]>;
  /** By request; those of one moment by build and fetch, ids compared as numbers are. */
  images(filter: ImageFilter, page: ImagePage): Promise<readonly BuildImageRow[]>;
  scope(scope: string): Promise<ScopeRow | undefined>;
  /** Scopes of a canonical repository, be it what is asked for or what is pulled from; all of its tags unless one is
   *  named. */
  scopes(filter: { readonly repository: string; readonly tag?: string }): Promise<readonly ScopeRow[]>;
  /** All there are, by their id, after the one named. */
  everyScope(page: { readonly limit: number; readonly after?: string }): Promise<readonly ScopeRow[]>;
  /** In check order, the current one last. */
  versions(scope: string): Promise<readonly VersionRow[]>;
  /** What was observed, and failures to. */
  observations(filter: ObservationFilter, page: ObservationPage): Promise<readonly ObservationRow[]>;
  /** The stays of a scope's versions, the newest first, of those that began before revision `before`. */
  stays(scope: string, page: { readonly limit: number; readonly before?: bigint }): Promise<readonly StayRow[]>;
  /** Builds that were opened before this time may have been dropped: an answer that reaches there is not of all builds.
   *  Undefined where none were. */
  droppedBefore(): Promise<string | undefined>;
  close(): Promise<void>;
}
