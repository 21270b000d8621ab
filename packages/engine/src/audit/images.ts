import { type BuildImageRow, type BuildRow, explainImage, type Json, type ReadModel } from "@fetch-image/core/fetching";
import type { AuditImage, AuditReason } from "./answers.ts";

/** A build's image, and the step that it was for. `images` are all of the build's, where they are at hand. */
export function auditImage(
  row: BuildImageRow,
  build: BuildRow | undefined,
  images: readonly BuildImageRow[] = [],
): AuditImage {
  const { buildId, fetchId, planId = fetchId, type, state, reference, imageURL, artifact, digest, version, via } = row;
  const { observedAt, requestedAt, endedAt } = row;
  const { team, pipeline, job } = build ?? {};
  return given({
    build: buildId,
    team,
    pipeline,
    job,
    plan: planId,
    ...stepOf(row, build, images),
    fetch: fetchId,
    type,
    state,
    image: reference,
    imageURL,
    artifact,
    digest,
    version,
    via,
    pinned: via === undefined ? undefined : via === "pin",
    observedAt,
    requestedAt,
    endedAt,
  });
}

/** Throws `FI_FACT_UNREADABLE` as `explainImage` does. */
export function auditReason(
  row: BuildImageRow,
  build: BuildRow | undefined,
  images: readonly BuildImageRow[],
): AuditReason {
  const { chosen, because, digestKnown, candidates, evidence } = explainImage(row) ?? {};
  const named = evidence && Object.fromEntries(evidence.map(({ name, value }) => [name, value]));
  const why = given({ chosen, because, digestKnown, candidates, evidence: named, failure: row.failure });
  return { ...auditImage(row, build, images), ...why };
}

/** Finds a page's builds, each once. */
export async function buildsOf(
  rows: readonly BuildImageRow[],
  readModel: ReadModel,
): Promise<ReadonlyMap<string, BuildRow | undefined>> {
  const ids = [...new Set(rows.map(({ buildId }) => buildId))];
  const builds = ids.length === 0 ? [] : await readModel.builds({ ids, limit: ids.length });
  return new Map(builds.map((build) => [build.buildId, build]));
}

/** `get pr: type pull-request`: a type's own type stands below the plan of the image that needs it. */
function stepOf(
  { fetchId, planId = fetchId, name }: BuildImageRow,
  build: BuildRow | undefined,
  images: readonly BuildImageRow[],
) {
  const known = build?.steps?.[planId];
  const kind = textIn(known, "kind") ?? kindOf(planId);
  const called = textIn(known, "name");
  const isOwn = fetchId === planId || (name === "image" && (kind === "task" || kind === undefined));
  return {
    step: called ?? images.find((one) => one.fetchId === planId.replace(/\/image-check$/, "/image-get"))?.name,
    kind,
    resourceType: isOwn ? undefined : name,
  };
}

function kindOf(planId: string): string | undefined {
  if (planId.endsWith("/image-get")) return "get";
  return planId.endsWith("/image-check") ? "check" : undefined;
}

/** The text of a field, where there is an object with such a field. */
export function textIn(value: Json | undefined, field: string): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const [, found] = Object.entries<Json>(value).find(([name]) => name === field) ?? [];
  return typeof found === "string" ? found : undefined;
}

type Given<Fields> = {
  readonly [Name in keyof Fields as undefined extends Fields[Name] ? Name : never]?: Exclude<Fields[Name], undefined>;
} & { readonly [Name in keyof Fields as undefined extends Fields[Name] ? never : Name]: Fields[Name] };

/** The fields that are there. */
export function given<Fields extends object>(fields: Fields): Given<Fields> {
  const there: unknown[][] = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(there);
}
