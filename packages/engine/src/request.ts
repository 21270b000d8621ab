import {
  checkMode,
  type CheckPlan,
  FetchImageError,
  type FetchRequest,
  type GetPlan,
  type Hash,
  type ImageRegistry,
  isDigest,
  parseGoDuration,
  parseRegistryImageSource,
  publicPlan,
  publicSourceSuffices,
  pullableRepository,
  type RegistryImageSource,
  scopeOf,
  secretsOf,
  showText,
} from "@fetch-image/core";
import type { EngineSettings } from "./options.ts";

/** What a build is asked to fetch. */
export interface FetchImageRequest {
  readonly getPlan: GetPlan;
  readonly checkPlan?: CheckPlan;
  readonly privileged: boolean;
  /** Aborts the fetch; what another fetch waits for goes on. */
  readonly signal?: AbortSignal;
  /** A later step needs the bytes: the image is fetched as an artifact. */
  readonly artifact?: boolean;
  /** Announce the sub-plans in the build log, as the task delegate does; a type's stand in the build plan. */
  readonly announce?: boolean;
  /** Values that must never be stored, beside the credentials of a registry-image source: evaluated ((vars)). */
  readonly secrets?: readonly string[];
}

export interface EngineTraits {
  readonly native: boolean;
  readonly policy: boolean;
  /** What can be asked of the registry client without asking a registry. */
  readonly registry: Pick<ImageRegistry, "unanswerable" | "identity"> | undefined;
  readonly hasStepRunner: boolean;
  readonly hasArtifacts: boolean;
}

/** A request read: what is stored of it, and what must not be. */
export interface ReadRequest {
  readonly fact: FetchRequest;
  readonly source: RegistryImageSource | undefined;
  /** The scope's own name for what is asked; where it is pulled from may be known only with the answer. */
  readonly repository: string | undefined;
  readonly credential: string | null;
  readonly interval: number | "never";
  readonly skipInterval: boolean;
  readonly secrets: readonly string[];
}

/** Throws `FI_SOURCE_INVALID`, `FI_SOURCE_UNSUPPORTED`, `FI_STEP_RUNNER_MISSING`: before anything is stored. */
export function readRequest(
  request: FetchImageRequest,
  traits: EngineTraits,
  settings: EngineSettings,
  hash: Hash,
): ReadRequest {
  const { getPlan, checkPlan } = request;
  const { name, type, version } = getPlan.get;
  const common = {
    fetchId: getPlan.id,
    planId: stepOf(getPlan.id),
    kind: request.announce === true ? ("task" as const) : ("type" as const),
    name,
    type,
  };
  const plans = {
    ...(checkPlan === undefined ? {} : { checkPlan: publicPlan(checkPlan) }),
    getPlan: publicPlan(getPlan),
    ...(version === undefined ? {} : { version }),
    privileged: request.privileged,
    native: traits.native,
    artifactWanted: request.artifact === true,
  };
  const waits = {
    policy: traits.policy,
    retry: {
      attempts: settings.attempts,
      baseMs: settings.backoffBaseMs,
      capMs: settings.backoffCapMs,
      patienceMs: settings.retryAfterPatienceMs,
      jitter: Number.parseInt(hash.sha256Hex(getPlan.id).slice(0, 8), 16) / 0xffff_ffff,
    },
    joinMs: settings.claimMs,
  };
  const pinned = version !== undefined && checkPlan === undefined;
  const intervals = {
    interval: intervalOf(checkPlan, settings),
    skipInterval: checkPlan?.check.skip_interval === true,
  };

  if (type !== "registry-image") {
    if (!traits.hasStepRunner) throw stepRunnerMissing(name, type);
    if (!pinned && checkPlan === undefined) throw noVersion(name, type);
    const fact: FetchRequest = { ...common, source: {}, credentials: true, ...plans, checker: "step", ...waits };
    const secrets = [...secretsOf(getPlan.get.source), ...(request.secrets ?? [])];
    return { fact, source: undefined, repository: undefined, credential: null, ...intervals, secrets };
  }

  const parsed = parseRegistryImageSource(getPlan.get.source);
  if (!parsed.ok) throw parsed.error;
  const { source } = parsed;
  if (version?.["digest"] !== undefined && version["digest"] !== "" && !isDigest(version["digest"])) {
    throw pinInvalid(name, version["digest"]);
  }
  const repository = pullableRepository(source);
  const unsupported = pinned ? unpullable(repository) : unanswerable(source, traits);
  const checker = traits.registry !== undefined && unsupported === undefined ? "registry" : "step";
  if (checker === "step" && !pinned && !traits.hasStepRunner) {
    throw unsupported === undefined ? stepRunnerMissing(name, type) : sourceUnsupported(name, unsupported);
  }
  const scope = scopeOf(type, source, hash, traits.registry?.identity?.(source));
  const fact: FetchRequest = {
    ...common,
    source: scope.source,
    credentials: !publicSourceSuffices(source),
    ...(checker === "registry" && !pinned ? { scope: scope.id, ...intervals } : {}),
    ...(repository === undefined ? {} : { repository }),
    ...(source.tag === undefined ? {} : { tag: source.tag }),
    ...plans,
    ...(unsupported === undefined ? {} : { unsupported }),
    checker,
    ...waits,
  };
  const physical = !traits.native || request.artifact === true || unsupported !== undefined;
  if (physical && !traits.hasStepRunner && !traits.hasArtifacts) {
    throw new FetchImageError("FI_ARTIFACT_STORE_MISSING", { details: { fetch: getPlan.id } });
  }
  const secrets = [...secretsOf(getPlan.get.source), ...(request.secrets ?? [])];
  return { fact, source, repository: scope.repository, credential: scope.credential, ...intervals, secrets };
}

/** Throws the error of a source that nobody can check. */
function unanswerable(source: RegistryImageSource, { registry }: EngineTraits): FetchRequest["unsupported"] {
  const mode = checkMode(source, registry);
  if (mode.mode === "invalid") throw mode.error;
  return mode.mode === "unsupported" ? { field: mode.field, reason: mode.reason } : undefined;
}

/** A pin asks nobody: all that can stand in its way is not to know where to pull from. */
function unpullable(repository: string | undefined): FetchRequest["unsupported"] {
  if (repository !== undefined) return undefined;
  const reason =
    "ECR's host holds the account, which only a login tells, and a pin asks nobody; aws_account_id names it";
  return { field: "aws_region", reason };
}

/** The plan of the step whose image a get plan fetches; a step's own get is its own. */
function stepOf(getPlanId: string): string {
  const suffix = "/image-get";
  return getPlanId.endsWith(suffix) ? getPlanId.slice(0, -suffix.length) : getPlanId;
}

function intervalOf(checkPlan: CheckPlan | undefined, settings: EngineSettings): number | "never" {
  const interval = checkPlan?.check.interval;
  if (interval === undefined || interval === "") return settings.checkIntervalMs;
  if (interval === "never") return "never";
  const nanoseconds = parseGoDuration(interval);
  return nanoseconds === undefined ? settings.checkIntervalMs : Number(nanoseconds / 1_000_000n);
}

function stepRunnerMissing(name: string, type: string): FetchImageError {
  return new FetchImageError("FI_STEP_RUNNER_MISSING", {
    message: `the image of ${name} is of type ${type}, which only a step can check and get, and there is no stepRunner`,
    details: { name, type },
  });
}

function noVersion(name: string, type: string): FetchImageError {
  return new FetchImageError("FI_NO_VERSION", {
    message: `the image of ${name} (${type}) has neither a check plan nor a version on its get plan`,
    hint: "Give a check plan, or pin the version.",
    details: { name, type },
  });
}

function pinInvalid(name: string, digest: string): FetchImageError {
  return new FetchImageError("FI_SOURCE_INVALID", {
    message: `the version of ${name} pins the digest ${showText(digest)}, which is none`,
    hint: "Pin sha256: and 64 lower-case hex digits, as `fetch-image versions` prints it.",
    details: { name, field: "version.digest" },
  });
}

function sourceUnsupported(name: string, unsupported: { field: string; reason: string }): FetchImageError {
  return new FetchImageError("FI_SOURCE_UNSUPPORTED", {
    message: `the source of ${name} has ${unsupported.field}: ${unsupported.reason}`,
    details: { name, field: unsupported.field },
  });
}
