import {
  checkMode,
  type CheckPlan,
  credentialProof,
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
  type TraceContext,
} from "@fetch-image/core/fetching";
import type { EffectiveSettings } from "./engine-settings.ts";
import type { ScopeSettings } from "./options.ts";
import type { TraceHeaders } from "./trace-context.ts";

/** What a build is asked to fetch. */
export interface FetchImageRequest extends TraceHeaders {
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
  /** What secrets are told apart with. */
  readonly credentialKey: string;
}

/** A request read: what is stored of it, and what must not be. */
export interface ReadRequest {
  readonly fact: FetchRequest;
  readonly source: RegistryImageSource | undefined;
  /** The scope's own name for what is asked; where it is pulled from may be known only with the answer. */
  readonly repository: string | undefined;
  readonly credential: string | null;
  /** Of the source's secrets, as `credentialProof` makes it. */
  readonly proof: string | null;
  readonly interval: number | "never";
  readonly skipInterval: boolean;
  readonly secrets: readonly string[];
  /** Where it was asked for. */
  readonly trace?: TraceContext | undefined;
}

/** Throws `FI_SOURCE_INVALID`, `FI_SOURCE_UNSUPPORTED`, `FI_STEP_RUNNER_MISSING`: before anything is stored. */
export function readRequest(
  request: FetchImageRequest,
  traits: EngineTraits,
  settings: EffectiveSettings,
  hash: Hash,
): ReadRequest {
  const { getPlan, checkPlan } = request;
  const { name, type, version } = getPlan.get;
  const pinned = version !== undefined && checkPlan === undefined;
  const skipInterval = checkPlan?.check.skip_interval === true;
  const secrets = secretsOf(getPlan.get.source);
  if (request.secrets !== undefined) secrets.push(...request.secrets);

  if (type !== "registry-image") {
    if (!traits.hasStepRunner) throw stepRunnerMissing(name, type);
    if (!pinned && checkPlan === undefined) throw noVersion(name, type);
    const fact = factOf(request, { source: {}, credentials: true, checker: "step" }, { traits, settings, hash });
    const interval = intervalOf(checkPlan, settings);
    const asked = { source: undefined, repository: undefined, credential: null, proof: null };
    return { fact, ...asked, interval, skipInterval, secrets };
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
  const ofScope = settings.forScope(scope.repository);
  const interval = intervalOf(checkPlan, ofScope);
  const asked = checker === "registry" && !pinned ? { scope: scope.id, interval, skipInterval } : undefined;
  const credentials = !publicSourceSuffices(source);
  const fact = factOf(
    request,
    {
      source: scope.source,
      credentials,
      asked,
      repository,
      tag: source.tag,
      unsupported,
      checker,
      joinMs: ofScope.claimMs,
    },
    { traits, settings, hash },
  );
  const physical = !traits.native || request.artifact === true || unsupported !== undefined;
  if (physical && !traits.hasStepRunner && !traits.hasArtifacts) {
    throw new FetchImageError("FI_ARTIFACT_STORE_MISSING", { details: { fetch: getPlan.id } });
  }
  const { credential } = scope;
  const proof = ofScope.shareByUser ? null : credentialProof(source, scope.id, traits.credentialKey, hash);
  return { fact, source, repository: scope.repository, credential, proof, interval, skipInterval, secrets };
}

/** What a request's fact says beside the request itself. */
interface Findings extends Pick<FetchRequest, "source" | "credentials" | "checker"> {
  readonly asked?: Required<Pick<FetchRequest, "scope" | "interval" | "skipInterval">> | undefined;
  readonly repository?: string | undefined;
  readonly tag?: string | undefined;
  readonly unsupported?: FetchRequest["unsupported"] | undefined;
  /** As the scope's settings have it; the engine's where there is no scope. */
  readonly joinMs?: number;
}

// Field by field, in the order in which they are stored: conditional spreads into an object of this size cost more than
// everything else that is done to read a request.
function factOf(
  { getPlan, checkPlan, ...request }: FetchImageRequest,
  { source, credentials, asked, repository, tag, unsupported, checker, joinMs }: Findings,
  { traits, settings, hash }: { traits: EngineTraits; settings: EffectiveSettings; hash: Hash },
): FetchRequest {
  const { id, get } = getPlan;
  const fact: { -readonly [Name in keyof FetchRequest]?: FetchRequest[Name] } = {
    fetchId: id,
    planId: stepOf(id),
    kind: request.announce === true ? "task" : "type",
    name: get.name,
    type: get.type,
    source,
    credentials,
  };
  if (asked !== undefined) {
    fact.scope = asked.scope;
    fact.interval = asked.interval;
    fact.skipInterval = asked.skipInterval;
  }
  if (repository !== undefined) fact.repository = repository;
  if (tag !== undefined) fact.tag = tag;
  if (checkPlan !== undefined) fact.checkPlan = publicPlan(checkPlan);
  fact.getPlan = publicPlan(getPlan);
  if (get.version !== undefined) fact.version = get.version;
  fact.privileged = request.privileged;
  fact.native = traits.native;
  fact.artifactWanted = request.artifact === true;
  if (unsupported !== undefined) fact.unsupported = unsupported;
  fact.checker = checker;
  fact.policy = traits.policy;
  fact.retry = {
    attempts: settings.attempts,
    baseMs: settings.backoffBaseMs,
    capMs: settings.backoffCapMs,
    patienceMs: settings.retryAfterPatienceMs,
    jitter: Number.parseInt(hash.sha256Hex(id).slice(0, 8), 16) / 0xffff_ffff,
  };
  fact.joinMs = joinMs ?? settings.claimMs;
  return fact as FetchRequest;
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

function intervalOf(checkPlan: CheckPlan | undefined, settings: ScopeSettings): number | "never" {
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
