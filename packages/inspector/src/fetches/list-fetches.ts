import {
  type BuildImageRow,
  type BuildRow,
  FetchImageError,
  isDigest,
  type Position,
  type ReadModel,
  showText,
} from "@fetch-image/core";
import type { BuildFolds } from "./build-folds.ts";
import { buildNames, type FetchSummary, summaryOfRow } from "./fetch-summary.ts";

export interface FetchesQuestion {
  /** 1 to 500; default 100. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly before?: string;
  /** Part of a build's id, of a job's name or of `repository:tag`, in upper or lower case; or how a digest begins. */
  readonly q?: string;
  /** Names of the machine's states, by commas; `active` for all that are not final. */
  readonly state?: string;
}

export interface FetchesPage {
  readonly fetches: readonly FetchSummary[];
  /** There may be more behind this. */
  readonly next?: string;
  /** Up to where the log is in it at least; absent for an empty store. */
  readonly position?: Position;
}

export interface FetchesSource {
  readonly readModel: ReadModel;
  readonly folds: BuildFolds;
}

const mostListed = 500;
/** How many fetches one question looks at: a search that finds little goes on with the next. */
const mostLookedAt = 5000;
const longestSearch = 300;
/** Builds whose streams are read at a time, to know how far their fetches are. */
const readAtOnce = 8;

/** Fetches, those requested last first. Throws `FI_QUERY_INVALID`. */
export async function listFetches(source: FetchesSource, question: FetchesQuestion): Promise<FetchesPage> {
  const limit = askedLimit(question.limit);
  const wanted = wantedBy(question);
  const digest = question.q !== undefined && isDigest(question.q) ? { digest: question.q } : {};
  // Before the rows: what happens in between comes again, and nothing is missed.
  const position = await source.readModel.checkpoint();
  const fetches: FetchSummary[] = [];
  let after = question.before === undefined ? undefined : readMark(question.before);
  let lookedAt = 0;
  let more = true;
  if (after === undefined && question.q !== undefined) {
    const named = await summaries(source, (await source.readModel.imagesOfBuild(question.q)).filter(isFetch));
    fetches.push(...named.toReversed().filter(wanted).slice(0, limit));
  }
  while (more && fetches.length < limit && lookedAt < mostLookedAt) {
    const page = { limit: Math.max(limit, 200), ...(after === undefined ? {} : { after }) };
    const rows = await source.readModel.images(digest, page);
    more = rows.length === page.limit;
    for (const [index, summary] of (await summaries(source, rows)).entries()) {
      const row = rows[index];
      if (row === undefined) break;
      if (fetches.length === limit) {
        more = true;
        break;
      }
      lookedAt++;
      after = { requestedAt: row.requestedAt ?? "", buildId: row.buildId, fetchId: row.fetchId };
      // The build of that very name came first.
      if (row.buildId !== question.q && isFetch(row) && wanted(summary)) fetches.push(summary);
    }
  }
  return {
    fetches,
    ...(more && after !== undefined ? { next: markOf(after) } : {}),
    ...(position === undefined ? {} : { position }),
  };
}

/** Of those in flight, what their streams say; of the others, what is projected. */
async function summaries(
  { readModel, folds }: FetchesSource,
  rows: readonly BuildImageRow[],
): Promise<readonly FetchSummary[]> {
  const ids = [...new Set(rows.map(({ buildId }) => buildId))];
  const builds = new Map<string, BuildRow>();
  for (const row of ids.length === 0 ? [] : await readModel.builds({ ids, limit: ids.length })) {
    builds.set(row.buildId, row);
  }
  const inFlight = [...new Set(rows.filter((row) => row.endedAt === undefined).map(({ buildId }) => buildId))];
  const found = new Map<string, FetchSummary>();
  for (let index = 0; index < inFlight.length; index += readAtOnce) {
    const some = await Promise.all(inFlight.slice(index, index + readAtOnce).map((buildId) => folds.load(buildId)));
    for (const fold of some) {
      for (const { fetchId } of rows.filter((row) => row.buildId === fold.buildId)) {
        const summary = fold.get(fetchId);
        if (summary !== undefined) found.set(key(fold.buildId, fetchId), summary);
      }
    }
  }
  return rows.map(
    (row) =>
      found.get(key(row.buildId, row.fetchId)) ?? summaryOfRow(buildNames(row.buildId, builds.get(row.buildId)), row),
  );
}

function key(buildId: string, fetchId: string): string {
  return JSON.stringify([buildId, fetchId]);
}

/** An artifact that a task runs in has a row, too: the build's own, which no fetch brought. */
function isFetch({ requestedAt, via }: BuildImageRow): boolean {
  return requestedAt !== undefined && via !== "push" && via !== "artifact";
}

function wantedBy({ q, state }: FetchesQuestion): (summary: FetchSummary) => boolean {
  if (q !== undefined && q.length > longestSearch) {
    throw invalid(`a search for ${q.length} characters is none`, `Search for ${longestSearch} at most.`);
  }
  const part = q?.toLowerCase() ?? "";
  const states = new Set(state?.split(","));
  return (summary) => {
    const { build, job = "", image = "", digest = "", endedAt } = summary;
    const inState = states.size === 0 || states.has(summary.state) || (states.has("active") && endedAt === undefined);
    if (!inState || part === "") return inState;
    return [build, job, image].some((text) => text.toLowerCase().includes(part)) || beginsDigest(part, digest);
  };
}

/** Any one or two digits stand in every digest. */
function beginsDigest(part: string, digest: string): boolean {
  return part.length >= 4 && (digest.startsWith(part) || digest.startsWith(`sha256:${part}`));
}

type Mark = Pick<BuildImageRow, "buildId" | "fetchId"> & { readonly requestedAt: string };

function markOf({ requestedAt, buildId, fetchId }: Mark): string {
  return Buffer.from(JSON.stringify([requestedAt, buildId, fetchId])).toString("base64url");
}

function readMark(mark: string): Mark {
  let read: unknown;
  try {
    read = JSON.parse(Buffer.from(mark, "base64url").toString());
  } catch {
    // Told below.
  }
  if (Array.isArray(read) && read.length === 3 && read.every((field) => typeof field === "string")) {
    const [requestedAt = "", buildId = "", fetchId = ""]: string[] = read;
    if (isTime(requestedAt) && buildId !== "") return { requestedAt, buildId, fetchId };
  }
  throw invalid(`${showText(mark)} is no page of the fetches`, "Give `next` of the page before as it is.");
}

function isTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text) && Number.isFinite(Date.parse(text));
}

function askedLimit(limit = 100): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= mostListed) return limit;
  throw invalid(`a page of ${String(limit)} fetches is none`, `Ask for 1 to ${mostListed}.`);
}

function invalid(message: string, hint: string): FetchImageError {
  return new FetchImageError("FI_QUERY_INVALID", { message, hint });
}
