import type {
  CheckPlan,
  Clock,
  EventLog,
  FetchImageError,
  GetPlan,
  Hash,
  ImageRegistry,
  Logger,
  Policy,
  ShadowFactData,
  Telemetry,
  Version,
} from "@fetch-image/core/fetching";
import type { EngineOptions, EngineSettings } from "../options.ts";

export interface ShadowOptions {
  /** Where comparisons go, and what the registries are observed to have. No fact of a build is stored. */
  readonly eventLog: EventLog;
  readonly registry: ImageRegistry;
  /** The scheduler's own, where a switch would ask it. */
  readonly policy?: Policy;
  /** Comparisons in hand at the same time. Default: 16. */
  readonly concurrency?: number;
  /** Comparisons that wait for one of those to end; the next are dropped, and counted. Default: 1000. */
  readonly waiting?: number;
  /** As the engine's. */
  readonly settings?: Partial<EngineSettings>;
  readonly scopes?: EngineOptions["scopes"];
  readonly clock?: Clock;
  readonly hash?: Hash;
  readonly logger?: Logger;
  readonly telemetry?: Telemetry;
  /** Names this process in the facts; a new one for every start. */
  readonly node?: string;
}

/** What the scheduler's own fetch came to: one of `digest`, `version`, `reference`, `failure`. */
export interface ShadowActual {
  readonly digest?: string;
  readonly version?: Version;
  /** `domain/path:tag@digest`, with `docker:///` before it or without. */
  readonly reference?: string;
  /** Why it failed, in words. */
  readonly failure?: string;
  /** When its check asked the registry, ISO 8601: without it, any time within the interval before `at`. */
  readonly observedAt?: string;
  /** When the fetch ended, ISO 8601. Default: now. */
  readonly at?: string;
  /** Requests to the registry, and time in milliseconds, that it cost. */
  readonly requests?: number;
  readonly ms?: number;
}

export interface ShadowQuestion {
  /** The scheduler's build. */
  readonly build: {
    readonly id: string;
    readonly team?: string;
    readonly pipeline?: string;
    readonly job?: string;
  };
  readonly getPlan: GetPlan;
  readonly checkPlan?: CheckPlan;
  readonly actual: ShadowActual;
  /** Values that must never be stored, beside the credentials of a registry-image source. */
  readonly secrets?: readonly string[];
  /** Gives the comparison up. */
  readonly signal?: AbortSignal;
}

export type Comparison = ShadowFactData<"ImageCompared">;

export type Compared =
  /** Stored. */
  | { readonly kind: "compared"; readonly comparison: Comparison }
  /** Too many were in hand. */
  | { readonly kind: "dropped" }
  /** The question cannot be read (`FI_COMPARISON_INVALID`), was given up, the shadow was closed, the store was away. */
  | { readonly kind: "not-compared"; readonly error: FetchImageError };

export interface ShadowCounts {
  readonly compared: number;
  readonly dropped: number;
  readonly notCompared: number;
  /** In hand, and waiting. */
  readonly running: number;
  readonly waiting: number;
}

export interface Shadow extends AsyncDisposable {
  /**
   * Resolves the image beside the scheduler, compares, and stores what it came to. Returns at once, does its work later,
   * and never rejects: a scheduler calls it after a fetch and does not wait.
   */
  compare(question: ShadowQuestion): Promise<Compared>;
  counts(): ShadowCounts;
  /** Takes nothing more, gives up what is in hand, and waits for appends under way. */
  close(): Promise<void>;
}
