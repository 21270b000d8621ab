import type {
  ArtifactPusher,
  Clock,
  EventLog,
  Hash,
  ImageRegistry,
  Logger,
  Policy,
  ReadModel,
  StepRunner,
  Telemetry,
} from "@fetch-image/core/fetching";

/** What can differ from scope to scope; numbers are milliseconds. */
export interface ScopeSettings {
  /** An observation at most so old is used without asking the registry, unless a plan says its own. */
  readonly checkIntervalMs: number;
  /**
   * How long beyond the interval an observation is still used at once, while one check runs beside the fetch: its answer is
   * for those who come after. 0: never.
   */
  readonly staleWhileRevalidateMs: number;
  /** The oldest observation that is ever used where the registry fails or is to be spared. 0: none ever is. */
  readonly stalenessBoundMs: number;
  /** How long nobody asks after a failure that may pass, in any build on any node; it doubles with each in a row. */
  readonly failureBackoffBaseMs: number;
  readonly failureBackoffCapMs: number;
  /** How long a failure stands that does not pass by itself: a refused login, an image that is not there. */
  readonly refusalMemoryMs: number;
  /** How long a fetch's claim to ask the registry holds, and how long others wait for its answer. */
  readonly claimMs: number;
  /**
   * Whether sources that name one user share what any of them was answered, whatever their passwords: for passwords that are
   * new for every job. Default: false, and who shows another password asks for himself.
   */
  readonly shareByUser: boolean;
}

/** Settings for the scopes of some repositories. */
export interface ScopeRule extends Partial<ScopeSettings> {
  /** Canonical, without tag; `*` stands for anything, `/` too: `registry.example.com/team/*`, `docker.io/library/golang`. */
  readonly repositories: string;
}

export interface EngineSettings extends ScopeSettings {
  /**
   * The share of a registry's rate limit, at least one request, that is kept for what nobody knows: where no more is left,
   * scopes with an observation within the bound are not asked for. 0 keeps nothing back.
   */
  readonly rateLimitReserve: number;
  /** Attempts at a check or a get, the first included. */
  readonly attempts: number;
  /** The first delay between attempts; it doubles each time. */
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  /** The longest Retry-After that is waited for; a longer one fails the fetch, saying until when. */
  readonly retryAfterPatienceMs: number;
  /** How long an append is tried again while the store is unavailable. */
  readonly storePatienceMs: number;
  /**
   * Fetches in flight at the same time, of all builds. Some kilobytes each: see docs/guides/embedding.md. What a stream holds
   * already, and images for the steps of such fetches, are taken beyond it.
   */
  readonly maxFetches: number;
  /** Fetches that wait for one of those to end; the next is refused with `FI_ENGINE_BUSY`. */
  readonly maxWaitingFetches: number;
}

export const defaultSettings: EngineSettings = {
  checkIntervalMs: 60_000,
  staleWhileRevalidateMs: 0,
  stalenessBoundMs: 3_600_000,
  // A blip costs nobody more than a second. A registry that is down for an hour is asked some 75 times in it by the whole
  // cluster, whatever the builds, and once it is back it is noticed within a minute.
  failureBackoffBaseMs: 1000,
  failureBackoffCapMs: 60_000,
  // Who pushes the tag or mends the login waits no longer, and a loop of builds asks six times a minute.
  refusalMemoryMs: 10_000,
  rateLimitReserve: 0.1,
  attempts: 5,
  backoffBaseMs: 500,
  backoffCapMs: 30_000,
  retryAfterPatienceMs: 120_000,
  claimMs: 30_000,
  shareByUser: false,
  storePatienceMs: 30_000,
  maxFetches: 10_000,
  maxWaitingFetches: 10_000,
};

export interface EngineOptions {
  /** Home of every fact. */
  readonly eventLog: EventLog;
  /** Where facts are projected; without it nothing is, and questions are answered from the streams. */
  readonly readModel?: ReadModel;
  /** Resolves registry-image sources natively. Without it, `stepRunner` runs every check. */
  readonly registry?: ImageRegistry;
  /** Fetches a registry-image's bytes in this process, where no `stepRunner` does. */
  readonly artifacts?: Pick<StepRunner, "get">;
  /** The scheduler's own way to run a check or get plan. */
  readonly stepRunner?: StepRunner;
  /** Brings to a registry what a step has built and a task is to run in. Without it such a task cannot run on Kubernetes. */
  readonly artifactPusher?: ArtifactPusher;
  readonly policy?: Policy;
  /** Whether the runtime lets a kubelet pull: on Kubernetes, yes. */
  readonly nativeImageFetch: boolean;
  /** This process is the event log's only writer, as on an embedded store: a check may be in flight beside its claim. */
  readonly soleNode?: boolean;
  readonly settings?: Partial<EngineSettings>;
  /** Settings by repository, laid over `settings`: of the rules that fit, the first that has a setting decides it. */
  readonly scopes?: readonly ScopeRule[];
  readonly clock?: Clock;
  readonly hash?: Hash;
  readonly logger?: Logger;
  readonly telemetry?: Telemetry;
  /**
   * What nodes tell secrets of sources apart with, a secret itself: those who have the same one ask once for all of them, and
   * go on with what was known before they were started. Facts have 16 hex digits that say nothing without it. Default: a new
   * one for every start.
   */
  readonly credentialKey?: string;
  /** Names this process in the facts; a new one for every start. */
  readonly node?: string;
}
