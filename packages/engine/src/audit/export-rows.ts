import type { BuildRow, ReadModel, TimeRange } from "@fetch-image/core/fetching";
import { auditImage, given } from "./images.ts";
import { auditScope } from "./histories.ts";
import { askedRange } from "./questions.ts";

/** `builds`, and `images` of them, by when the build was opened; `versions` by when they were observed. */
export type ExportTable = "builds" | "images" | "versions";

export type ExportRow = { readonly [column: string]: string | number };

/** What an export's columns are, in order. Rows may lack some; a reader must take those that are new at the end. */
export const exportColumns: { readonly [Table in ExportTable]: readonly string[] } = {
  builds: ["build", "team", "pipeline", "job", "openedAt"],
  images: [
    "build",
    "team",
    "pipeline",
    "job",
    "plan",
    "step",
    "kind",
    "resourceType",
    "fetch",
    "type",
    "state",
    "image",
    "digest",
    "via",
    "observedAt",
    "requestedAt",
    "endedAt",
    "artifact",
    "failure",
  ],
  versions: [
    "scope",
    "repository",
    "pullRepository",
    "scopeTag",
    "rule",
    "credential",
    "platform",
    "tag",
    "digest",
    "outcome",
    "firstObservedAt",
    "lastObservedAt",
    "observations",
    "build",
    "fetch",
  ],
};

const pageSize = 500;
const atOnce = 16;

/** Rows page by page, so that an export of any size holds a few thousand in memory. */
export async function* exportRows(
  table: ExportTable,
  asked: TimeRange,
  readModel: ReadModel,
): AsyncGenerator<readonly ExportRow[], void> {
  const range = askedRange(asked);
  if (table === "versions") {
    yield* versionRows(range, readModel);
    return;
  }
  for await (const builds of buildPages(range, readModel)) {
    if (table === "builds") yield builds.map(buildRow);
    // Some at a time: one alone would wait for the store again and again.
    else
      for (let at = 0; at < builds.length; at += atOnce) {
        yield (await Promise.all(builds.slice(at, at + atOnce).map((build) => imageRows(build, readModel)))).flat();
      }
  }
}

async function* buildPages(range: TimeRange, readModel: ReadModel): AsyncGenerator<readonly BuildRow[], void> {
  let after: { readonly openedAt: string; readonly buildId: string } | undefined;
  for (;;) {
    // A range that begins with time itself: builds whose opening is not known cannot be paged through.
    const query = { since: "0001-01-01T00:00:00.000Z", ...range, limit: pageSize, ...(after && { after }) };
    const builds = await readModel.builds(query);
    yield builds;
    const last = builds.at(-1);
    if (builds.length < pageSize || last?.openedAt === undefined) return;
    after = { openedAt: last.openedAt, buildId: last.buildId };
  }
}

function buildRow({ buildId, team, pipeline, job, openedAt }: BuildRow): ExportRow {
  return given({ build: buildId, team, pipeline, job, openedAt });
}

async function imageRows(build: BuildRow, readModel: ReadModel): Promise<readonly ExportRow[]> {
  const images = await readModel.imagesOfBuild(build.buildId);
  return images.map((row) => {
    const { version: _version, imageURL: _imageURL, pinned: _pinned, ...image } = auditImage(row, build, images);
    const code = row.failure?.["code"];
    return { ...image, ...(typeof code === "string" ? { failure: code } : {}) };
  });
}

async function* versionRows(
  { since = "", until = "~" }: TimeRange,
  readModel: ReadModel,
): AsyncGenerator<readonly ExportRow[], void> {
  let after: string | undefined;
  for (;;) {
    const scopes = await readModel.everyScope({ limit: pageSize, ...(after === undefined ? {} : { after }) });
    for (const row of scopes) {
      const { tag: scopeTag, credential, source: _source, type: _type, ...scope } = auditScope(row);
      const named = given({ ...scope, scopeTag, credential: credential === null ? "anonymous" : credential });
      let before: bigint | undefined;
      for (;;) {
        const page = { limit: pageSize, ...(before === undefined ? {} : { before }) };
        const stays = await readModel.stays(row.scope, page);
        yield stays
          .filter(({ firstObservedAt, lastObservedAt }) => firstObservedAt < until && lastObservedAt >= since)
          .map(({ tag, digest, outcome, firstObservedAt, lastObservedAt, observations, buildId, fetchId }) => {
            const times = { firstObservedAt, lastObservedAt, observations, build: buildId, fetch: fetchId };
            return given({ ...named, tag, digest, outcome, ...times });
          });
        const last = stays.at(-1);
        if (stays.length < pageSize || last === undefined || last.lastObservedAt < since) break;
        before = last.revision;
      }
    }
    after = scopes.at(-1)?.scope;
    if (scopes.length < pageSize) return;
  }
}
