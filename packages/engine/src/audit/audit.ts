import {
  type BuildImageRow,
  type BuildRow,
  FetchImageError,
  type JsonObject,
  type ReadModel,
  showText,
  type TimeRange,
} from "@fetch-image/core/fetching";
import type { AuditAsOf, AuditHistory, AuditImage, AuditMove, AuditPage, AuditReason, RerunPlan } from "./answers.ts";
import { type DriftQuery, driftPage } from "./drift.ts";
import { type ExportRow, exportRows, type ExportTable } from "./export-rows.ts";
import { asOfScope, historyOf } from "./histories.ts";
import { auditImage, auditReason, buildsOf } from "./images.ts";
import {
  askedDigest,
  askedLimit,
  askedRange,
  askedReference,
  askedTag,
  askedTime,
  pageMark,
  readPageMark,
} from "./questions.ts";
import { rerunPlanOf } from "./rerun.ts";
import { buildStatement, type StatementOptions } from "./statement.ts";

export interface AuditOptions {
  readonly readModel: ReadModel;
  /** Where its answers come from, for messages: a data directory, a database. */
  readonly where?: string;
  /** What to look at where a build is not there, for the hint: the settings that lead to it, say. */
  readonly elsewhere?: string;
}

export interface BuildsQuestion extends TimeRange {
  /** `sha256:…`, of the index or of the image: as it was resolved. */
  readonly digest?: string;
  /** `repository[:tag][@digest]`. */
  readonly reference?: string;
  /** Those too whose fetch failed or was aborted after it had chosen the digest: no step ran it. */
  readonly all?: boolean;
  readonly limit?: number;
  /** `next` of the page before. */
  readonly page?: string;
}

/**
 * What is asked when the logs are gone. Every answer is plain JSON out of the read model alone: bring it up to the head
 * of the log first, where what has just happened counts. Times come and go as ISO 8601; those given need a zone.
 *
 * All of them reject with `FI_REFERENCE_INVALID` for a reference that is none, `FI_QUERY_INVALID` for a digest, time,
 * limit or page that is none, and `FI_STORE_*` where the read model does not answer.
 */
export interface Audit {
  /** The images of a build, in the order they were requested. Rejects with `FI_BUILD_UNKNOWN`. */
  images(build: string): Promise<readonly AuditImage[]>;
  /**
   * Why the images of a plan are what they are: the plan's own; where it has none, those below it. Plan: the id of a
   * step's plan, or of its image's sub-plans; all of the build where it is left out. Rejects with `FI_BUILD_UNKNOWN`,
   * `FI_PLAN_UNKNOWN` naming the plans that there are, `FI_FACT_UNREADABLE`.
   */
  why(build: string, plan?: string): Promise<readonly AuditReason[]>;
  /** The histories of a reference, of all its tags where none is named; none where it was never asked for. */
  versions(
    reference: string,
    options?: { readonly limit?: number; readonly before?: string },
  ): Promise<readonly AuditHistory[]>;
  /** What a reference was at a time, by each of its histories; none where it was never asked for. */
  asOf(reference: string, time: string): Promise<readonly AuditAsOf[]>;
  /** The images of builds that ran a digest or a reference, the newest first, by when they were requested. */
  builds(question: BuildsQuestion): Promise<AuditPage<AuditImage>>;
  /** The tags that moved, the oldest move first. */
  drift(question?: DriftQuery): Promise<AuditPage<AuditMove>>;
  /** The same images again, without any request. Rejects with `FI_BUILD_UNKNOWN`. */
  rerunPlan(build: string): Promise<RerunPlan>;
  /** An in-toto statement of a build's images, to be signed. Rejects with `FI_BUILD_UNKNOWN`. */
  statement(build: string, options?: StatementOptions): Promise<JsonObject>;
  /** Rows of a table over a stretch of time, page by page. */
  export(table: ExportTable, range?: TimeRange): AsyncIterable<readonly ExportRow[]>;
}

export function createAudit({ readModel, where = "the read model", elsewhere }: AuditOptions): Audit {
  async function ofBuild(buildId: string): Promise<{ build: BuildRow; images: readonly BuildImageRow[] }> {
    const [build, images] = await Promise.all([readModel.build(buildId), readModel.imagesOfBuild(buildId)]);
    if (build === undefined) throw await buildUnknown(buildId);
    return { build, images };
  }

  async function buildUnknown(buildId: string): Promise<FetchImageError> {
    const newest = (await readModel.builds({ limit: 10 })).map((row) => row.buildId);
    const dropped = await readModel.droppedBefore();
    const before =
      dropped === undefined ? "" : ` Builds opened before ${dropped} may have been dropped from the audit.`;
    const known = newest.length === 0 ? "There are no builds yet." : `The newest builds are ${newest.join(", ")}.`;
    return new FetchImageError("FI_BUILD_UNKNOWN", {
      message: `there is no build ${showText(buildId)} in ${where}`,
      hint: `${known}${before}${elsewhere === undefined ? "" : ` ${elsewhere}`}`,
      details: { build: showText(buildId).slice(1, -1) },
    });
  }

  return {
    async images(buildId) {
      const { build, images } = await ofBuild(buildId);
      return images.map((row) => auditImage(row, build, images));
    },
    async why(buildId, plan) {
      const { build, images } = await ofBuild(buildId);
      const found = plan === undefined ? images : imagesOfPlan(images, plan);
      if (plan !== undefined && found.length === 0) throw planUnknown(images, buildId, plan);
      return found.map((row) => auditReason(row, build, images));
    },
    async versions(reference, { limit, before } = {}) {
      const page = { limit: askedLimit(limit), ...(before === undefined ? {} : { before }) };
      const scopes = await readModel.scopes(askedTag(reference));
      return await Promise.all(scopes.map((scope) => historyOf(scope, readModel, page)));
    },
    async asOf(reference, time) {
      const asked = askedTag(reference);
      const at = askedTime(time);
      const scopes = await readModel.scopes(asked);
      return await Promise.all(scopes.map((scope) => asOfScope(scope, readModel, at)));
    },
    async builds(question) {
      const { digest, reference, all = false, page } = question;
      if (digest === undefined && reference === undefined) {
        throw new FetchImageError("FI_QUERY_INVALID", { message: "neither a digest nor a reference is asked for" });
      }
      const limit = askedLimit(question.limit);
      const filter = {
        ...(reference === undefined ? {} : askedReference(reference)),
        ...(digest === undefined ? {} : { digest: askedDigest(digest) }),
        ...askedRange(question),
        ran: !all,
      };
      const [requestedAt = "", buildId = "", fetchId = ""] = page === undefined ? [] : readPageMark(page, 3);
      const after = page === undefined ? {} : { after: { requestedAt: askedTime(requestedAt), buildId, fetchId } };
      const [rows, dropped] = await Promise.all([
        readModel.images(filter, { limit: limit + 1, ...after }),
        reachOf(question, readModel),
      ]);
      const shown = rows.slice(0, limit);
      const builds = await buildsOf(shown, readModel);
      const last = rows.length > limit ? shown.at(-1) : undefined;
      return {
        rows: shown.map((row) => auditImage(row, builds.get(row.buildId))),
        ...(last === undefined ? {} : { next: pageMark([last.requestedAt ?? "", last.buildId, last.fetchId]) }),
        ...dropped,
      };
    },
    async drift(question = {}) {
      return { ...(await driftPage(question, readModel)), ...(await reachOf(question, readModel)) };
    },
    async rerunPlan(buildId) {
      const { build, images } = await ofBuild(buildId);
      return rerunPlanOf(build, images);
    },
    async statement(buildId, options) {
      const { build, images } = await ofBuild(buildId);
      const { team, pipeline, job } = build;
      const named = {
        build: buildId,
        ...(team === undefined ? {} : { team }),
        ...(pipeline === undefined ? {} : { pipeline }),
        ...(job === undefined ? {} : { job }),
      };
      return buildStatement(
        named,
        images.map((row) => auditImage(row, build, images)),
        options,
      );
    },
    export: (table, range = {}) => exportRows(table, range, readModel),
  };
}

/** What an answer does not tell, since it was dropped. */
async function reachOf({ since }: TimeRange, readModel: ReadModel): Promise<{ readonly droppedBefore?: string }> {
  const before = await readModel.droppedBefore();
  return before === undefined || (since !== undefined && askedTime(since) >= before) ? {} : { droppedBefore: before };
}

/** A plan's own image; where it has none, the images below it. */
function imagesOfPlan(images: readonly BuildImageRow[], plan: string): readonly BuildImageRow[] {
  const wanted = plan.replace(/\/image-check$/, "/image-get");
  const own = images.filter(({ fetchId, planId }) => fetchId === wanted || planId === wanted);
  return own.length > 0 ? own : images.filter(({ fetchId }) => fetchId.startsWith(`${wanted}/`));
}

function planUnknown(images: readonly BuildImageRow[], build: string, plan: string): FetchImageError {
  const plans = [...new Set(images.map(({ planId, fetchId }) => planId ?? fetchId))];
  return new FetchImageError("FI_PLAN_UNKNOWN", {
    message: `build ${build} fetched no image for plan ${showText(plan)}`,
    hint: plans.length === 0 ? "The build fetched no image at all." : `It did for these plans: ${plans.join(", ")}.`,
    details: { build, plans },
  });
}
