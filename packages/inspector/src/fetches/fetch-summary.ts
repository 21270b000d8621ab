import {
  type BuildFactData,
  type BuildImageRow,
  type BuildRow,
  type FetchRequest,
  type FetchState,
  type FetchStateName,
  formatTime,
  type JsonObject,
  stateName,
} from "@fetch-image/core";

/** A fetch at a glance. Times are ISO 8601, UTC, milliseconds. */
export interface FetchSummary {
  readonly build: string;
  /** The id of the get plan. */
  readonly fetch: string;
  readonly team?: string;
  readonly pipeline?: string;
  readonly job?: string;
  /** The plan of the step that needs the image. */
  readonly plan: string;
  /** The step's name where the build's plan tells it, else its plan's id. */
  readonly step: string;
  readonly kind: "task" | "type";
  readonly name: string;
  readonly type: string;
  /** `repository:tag`, canonical, as far as it is known. */
  readonly image?: string;
  /** The machine's state; of a stream that cannot be followed, the state that its last fact names. */
  readonly state: FetchStateName;
  /** When the fetch's last fact was made. */
  readonly since: string;
  readonly requestedAt: string;
  readonly endedAt?: string;
  readonly digest?: string;
  readonly reference?: string;
  readonly via?: string;
  /** Whose check is waited for. */
  readonly waitsFor?: { readonly build: string; readonly fetch: string };
  /** From 1; unknown of a fetch that ended before anybody looked. */
  readonly attempt?: number;
  readonly timer?: { readonly name: string; readonly dueAt: string };
  /** The answer was older than the interval: by so much was it observed before it was used. */
  readonly stale?: { readonly ageMs: number };
  /** Until when its registry is not asked. */
  readonly pausedUntil?: string;
  readonly failure?: { readonly code: string; readonly message: string };
  /** How many facts the fetch has; unknown of one that ended before anybody looked. */
  readonly facts?: number;
}

/** What of a summary is the build's. */
export interface BuildNames {
  readonly build: string;
  readonly team?: string;
  readonly pipeline?: string;
  readonly job?: string;
  /** What the steps are, by plan id; see `planSteps`. */
  readonly steps: JsonObject;
}

export function buildNames(build: string, row: Omit<BuildRow, "buildId"> | undefined): BuildNames {
  const { team, pipeline, job, steps = {} } = row ?? {};
  return {
    build,
    ...(team === undefined ? {} : { team }),
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(job === undefined ? {} : { job }),
    steps,
  };
}

/** A fetch as it begins. */
export function requested(names: BuildNames, request: FetchRequest, time: string): FetchSummary {
  const { fetchId: fetch, planId, kind, name, type, repository, tag } = request;
  return {
    ...ofBuild(names, planId),
    fetch,
    kind,
    name,
    type,
    ...imageOf(repository, tag),
    state: "authorizing",
    since: time,
    requestedAt: time,
    facts: 1,
  };
}

/** What the machine knows laid over the rest. */
export function withMachine(summary: FetchSummary, machine: FetchState): FetchSummary {
  const { waitsFor: _waitsFor, timer: _timer, ...rest } = summary;
  const { attempt, asker } = machine.snapshot.context;
  const state = stateName(machine);
  return {
    ...rest,
    state,
    attempt,
    ...(state === "waiting" && asker !== null ? { waitsFor: { build: asker.buildId, fetch: asker.fetchId } } : {}),
    ...(machine.timer === null ? {} : { timer: { name: machine.timer.name, dueAt: formatTime(machine.timer.dueAt) } }),
  };
}

/** The version that was chosen. */
export function resolved(
  summary: FetchSummary,
  {
    version,
    reference,
    via,
    ageMs,
  }: Pick<BuildFactData<"ImageVersionResolved">, "version" | "via"> & {
    readonly reference?: string;
    readonly ageMs?: number;
  },
): FetchSummary {
  const digest = version["digest"];
  return {
    ...summary,
    ...(reference === undefined ? {} : { reference, image: reference.replace(/@.*$/, "") }),
    ...(digest === undefined || digest === "" ? {} : { digest }),
    via,
    ...(via === "stale-served" && ageMs !== undefined ? { stale: { ageMs } } : {}),
  };
}

/** A fetch as the read model has it. */
export function summaryOfRow(names: BuildNames, row: BuildImageRow): FetchSummary {
  const { fetchId, planId, name = "", type = "", repository, tag, state, reference, digest, via } = row;
  const { failure, requestedAt = "", endedAt, evidence } = row;
  const code = failure?.["code"];
  const message = failure?.["message"];
  const ageMs = evidence?.["ageMs"];
  return {
    ...ofBuild(names, planId ?? fetchId),
    fetch: fetchId,
    kind: name === "image" ? "task" : "type",
    name,
    type,
    ...imageOf(repository, tag),
    state: (state ?? "authorizing") as FetchStateName,
    since: endedAt ?? requestedAt,
    requestedAt,
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(reference === undefined ? {} : { reference }),
    ...(digest === undefined ? {} : { digest }),
    ...(via === undefined ? {} : { via }),
    ...(via === "stale-served" && typeof ageMs === "number" ? { stale: { ageMs } } : {}),
    ...(typeof code === "string" && typeof message === "string" ? { failure: { code, message } } : {}),
  };
}

function ofBuild({ steps, ...names }: BuildNames, plan: string): Omit<BuildNames, "steps"> & StepOfFetch {
  const step = Object.hasOwn(steps, plan) ? steps[plan] : undefined;
  const name = typeof step === "object" && step !== null && "name" in step ? step["name"] : undefined;
  return { ...names, plan, step: typeof name === "string" ? name : plan };
}

type StepOfFetch = Pick<FetchSummary, "plan" | "step">;

function imageOf(repository: string | undefined, tag: string | undefined): { readonly image?: string } {
  if (repository === undefined) return {};
  return { image: tag === undefined ? repository : `${repository}:${tag}` };
}
