import {
  type BuildRow,
  buildStream,
  concoursePlan,
  decodeBuildFact,
  type EventLog,
  FetchImageError,
  type Json,
  type JsonObject,
  parseTime,
  type RecordedBuildFact,
} from "@fetch-image/core";
import { Refusal } from "./refusal.ts";

/** How far back the last status is looked for: behind it come only facts of fetches that were still in flight. */
const mostBehindTheEnd = 512;

/** `GET /api/v1/builds/:id`, in the form of upstream's atc.Build. */
export async function buildAnswer(eventLog: EventLog, buildId: string): Promise<Json> {
  const stream = buildStream(buildId);
  const [first] = await known(eventLog, stream, { limit: 1 });
  if (first?.type !== "BuildOpened") throw buildUnknown(buildId);
  const last = await known(eventLog, stream, { direction: "backwards", limit: mostBehindTheEnd });
  // Of what came after the first of them the log knows nothing.
  const ending = last.findLast((fact) => endOf(fact) !== undefined);
  const { team, pipeline, job } = first.data;
  return {
    ...named(buildId, { team, pipeline, job }),
    status: (ending === undefined ? undefined : endOf(ending)) ?? "started",
    start_time: seconds(first),
    ...(ending === undefined ? {} : { end_time: seconds(ending) }),
  };
}

/** A build as a list of builds has it. */
export function buildRowAnswer({ buildId, team, pipeline, job, openedAt }: BuildRow): Json {
  return {
    ...named(buildId, { team, pipeline, job }),
    ...(openedAt === undefined ? {} : { start_time: Math.floor(parseTime(openedAt) / 1000) }),
  };
}

/** `GET /api/v1/builds/:id/plan`; 404 where the build has no plan, as upstream has it. */
export async function planAnswer(eventLog: EventLog, buildId: string): Promise<JsonObject> {
  const facts = await known(eventLog, buildStream(buildId), { limit: 2 });
  if (facts.length === 0) throw buildUnknown(buildId);
  const planned = facts.find((fact) => fact.type === "BuildPlanned");
  if (planned === undefined) throw new Refusal(404, `build ${buildId} has no plan`);
  return { schema: "exec.v2", plan: concoursePlan(planned.data.plan) };
}

/** `GET /api/v1/builds/:id/resources`: what a build took and made, which the scheduler's own API knows. */
export async function resourcesAnswer(eventLog: EventLog, buildId: string): Promise<Json> {
  if ((await eventLog.read(buildStream(buildId), { limit: 1 })).length === 0) throw buildUnknown(buildId);
  return { inputs: [], outputs: [] };
}

function named(
  buildId: string,
  { team, pipeline, job }: { readonly [name in "team" | "pipeline" | "job"]: string | undefined },
): JsonObject {
  return {
    id: numberOf(buildId),
    name: buildId,
    team_name: team ?? "main",
    ...(pipeline === undefined ? {} : { pipeline_name: pipeline }),
    ...(job === undefined ? {} : { job_name: job }),
    api_url: `/api/v1/builds/${encodeURIComponent(buildId)}`,
  };
}

/**
 * Upstream's clients take nothing but a number, and one build that had a text would spoil their whole list of builds. So a
 * build with any other name has 0, which no build of Concourse's has, and is found by its `name` and its `api_url`.
 */
function numberOf(buildId: string): number {
  return /^[1-9]\d{0,14}$/.test(buildId) ? Number(buildId) : 0;
}

function endOf(fact: RecordedBuildFact): string | undefined {
  if (fact.type !== "BuildEventSaved" || fact.data.event !== "status") return undefined;
  const { status } = fact.data.data;
  return typeof status === "string" && status !== "started" ? status : undefined;
}

function seconds({ metadata }: RecordedBuildFact): number {
  return Math.floor(parseTime(metadata.time) / 1000);
}

async function known(
  eventLog: EventLog,
  stream: string,
  options: Parameters<EventLog["read"]>[1],
): Promise<readonly RecordedBuildFact[]> {
  return (await eventLog.read(stream, options)).flatMap((recorded) => {
    const decoded = decodeBuildFact(recorded);
    return decoded.known ? [decoded.fact] : [];
  });
}

function buildUnknown(buildId: string): FetchImageError {
  return new FetchImageError("FI_BUILD_UNKNOWN", {
    message: `there is no build ${buildId}`,
    details: { build: buildId },
  });
}
