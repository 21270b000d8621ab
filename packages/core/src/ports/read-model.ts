import type { JsonObject } from "../json.ts";
import type { Version } from "../plan/plan.ts";
import type { Position } from "./event-log.ts";

/** Times are ISO 8601, UTC, milliseconds: `2026-11-22T04:40:00.000Z`. Undefined fields of a row leave what is stored. */
export interface BuildRow {
  readonly buildId: string;
  readonly team?: string;
  readonly pipeline?: string;
  readonly job?: string;
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

/** What a page of facts changes. At most one row per key. */
export interface ReadModelChanges {
  readonly builds: readonly BuildRow[];
  readonly images: readonly BuildImageRow[];
  readonly scopes: readonly ScopeRow[];
  readonly versions: readonly VersionRow[];
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
  /** Newest first. */
  builds(options: { readonly limit: number }): Promise<readonly BuildRow[]>;
  /** In the order they were requested. */
  imagesOfBuild(buildId: string): Promise<readonly BuildImageRow[]>;
  /** Newest first by request. */
  imagesByDigest(digest: string, options: { readonly limit: number }): Promise<readonly BuildImageRow[]>;
  /** Scopes of a canonical repository, all of its tags unless one is named. */
  scopes(filter: { readonly repository: string; readonly tag?: string }): Promise<readonly ScopeRow[]>;
  /** In check order, the current one last. */
  versions(scope: string): Promise<readonly VersionRow[]>;
  close(): Promise<void>;
}
