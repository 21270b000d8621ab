import type {
  BuildImageRow,
  BuildRow,
  BuildsQuery,
  ImageFilter,
  ImagePage,
  ObservationFilter,
  ObservationPage,
  ObservationRow,
  Position,
  ReadModel,
  ReadModelChanges,
  ScopeRow,
  StayRow,
  VersionRow,
} from "@fetch-image/core/fetching";
import { toText } from "../facts/text.ts";
import { again } from "./again.ts";
import { textArray } from "./arrays.ts";
import { storeError } from "./errors.ts";
import { migrateOnce } from "./migrate.ts";
import { schemaName, type SchemaName } from "./schema-name.ts";
import type { Sql, SqlParameter, SqlRow } from "./sql.ts";
import { type Table, table } from "./table.ts";
import { Where } from "./where.ts";

export interface SqlReadModelOptions {
  readonly sql: Sql;
  /** Default: `fetch_image`. */
  readonly schema?: string;
  /** Whether `close` closes `sql` too. */
  readonly ownsSql: boolean;
}

/** The one projection there is. */
export const readModelCheckpoint = "read-model";

/** The read model's tables in PostgreSQL, on any driver. The schema is made or brought up to date before the first use. */
export class SqlReadModel implements ReadModel {
  readonly #sql: Sql;
  readonly #schema: SchemaName;
  readonly #ownsSql: boolean;

  constructor(options: SqlReadModelOptions) {
    this.#sql = options.sql;
    this.#schema = schemaName(options.schema);
    this.#ownsSql = options.ownsSql;
  }

  async checkpoint(): Promise<Position | undefined> {
    const [row] = await this.#query<{ readonly position: string }>(
      `select c.position from ${this.#schema.identifier}.checkpoints c where c.name = $1`,
      [readModelCheckpoint],
    );
    return row?.position;
  }

  // One statement, so one transaction and one round trip.
  async apply(
    changes: ReadModelChanges,
    move: { readonly from: Position | undefined; readonly to: Position },
  ): Promise<"applied" | "moved-by-another"> {
    await this.#checkRoom();
    const [row] = await this.#query<{ readonly applied: boolean }>(
      `select ${this.#schema.identifier}.apply_changes($1, $2, $3, $4, $5, $6, $7, $8) as applied`,
      [
        readModelCheckpoint,
        move.from ?? null,
        move.to,
        builds.toJson(changes.builds),
        images.toJson(changes.images),
        scopes.toJson(changes.scopes),
        versions.toJson(changes.versions),
        observations.toJson(changes.observations),
      ],
    );
    return row?.applied === true ? "applied" : "moved-by-another";
  }

  async reset(): Promise<void> {
    await this.#query(`select ${this.#schema.identifier}.reset_read_model($1)`, [readModelCheckpoint]);
  }

  async build(buildId: string): Promise<BuildRow | undefined> {
    const rows = await this.#rows(buildsById, "", [textArray([toText(buildId)])]);
    return rows[0];
  }

  async builds({ limit, since, until, ids, after, stored }: BuildsQuery): Promise<readonly BuildRow[]> {
    const where = new Where();
    // The function's parameter is the first.
    if (ids !== undefined) where.take(textArray(ids.map(toText)));
    if (stored !== undefined) where.and(`t.expired_at is ${stored ? "" : "not "}null`);
    where.range("t.opened_at", { since, until });
    if (after !== undefined) {
      const [at, id] = [where.take(after.openedAt), where.take(after.buildId)];
      // The first half is for the index.
      where.and(
        `t.opened_at <= ${at} and (t.opened_at, length(t.build_id), t.build_id) < (${at}, length(${id}::text), ${id})`,
      );
    }
    return this.#rows(
      ids === undefined ? builds : buildsById,
      `${where.text} order by t.opened_at desc nulls last, length(t.build_id) desc, t.build_id desc
       limit ${where.take(rowCount(limit))}`,
      where.parameters,
    );
  }

  async imagesOfBuild(buildId: string): Promise<readonly BuildImageRow[]> {
    return this.#rows(imagesOfBuilds, "order by t.requested_at nulls last, length(t.fetch_id), t.fetch_id", [
      textArray([toText(buildId)]),
    ]);
  }

  async images(filter: ImageFilter, { limit, first = "newest", after }: ImagePage): Promise<readonly BuildImageRow[]> {
    const { digest, repository, tag, scope, ran } = filter;
    const where = new Where();
    where.equal("t.digest", digest);
    where.equal("t.repository", repository);
    where.equal("t.tag", tag);
    where.equal("t.scope", scope);
    where.and("t.requested_at is not null");
    where.range("t.requested_at", filter);
    if (ran === true) where.and("t.state is distinct from 'failed' and t.state is distinct from 'aborted'");
    const [beyond, order] = first === "newest" ? ["<", "desc"] : [">", "asc"];
    if (after !== undefined) {
      const [at, build, fetch] = [where.take(after.requestedAt), where.take(after.buildId), where.take(after.fetchId)];
      where.and(`t.requested_at ${beyond}= ${at}`);
      where.and(
        `(t.requested_at, length(t.build_id), t.build_id, length(t.fetch_id), t.fetch_id)
         ${beyond} (${at}, length(${build}::text), ${build}, length(${fetch}::text), ${fetch})`,
      );
    }
    const keys = ["t.requested_at", "length(t.build_id)", "t.build_id", "length(t.fetch_id)", "t.fetch_id"];
    return this.#rows(
      images,
      `${where.text} order by ${keys.map((key) => `${key} ${order}`).join(", ")} limit ${where.take(rowCount(limit))}`,
      where.parameters,
    );
  }

  async scope(scope: string): Promise<ScopeRow | undefined> {
    const rows = await this.#rows(scopes, "where t.scope = $1", [toText(scope)]);
    return rows[0];
  }

  async scopes(filter: { readonly repository: string; readonly tag?: string }): Promise<readonly ScopeRow[]> {
    const { repository, tag } = filter;
    return this.#rows(
      scopes,
      `where (t.repository = $1 or t.pull_repository = $1) ${tag === undefined ? "" : "and t.tag = $2"}
       order by t.tag nulls first, t.scope`,
      [toText(repository), ...(tag === undefined ? [] : [toText(tag)])],
    );
  }

  async everyScope({
    limit,
    after,
  }: {
    readonly limit: number;
    readonly after?: string;
  }): Promise<readonly ScopeRow[]> {
    const where = new Where();
    if (after !== undefined) where.and(`t.scope > ${where.take(after)}`);
    const clauses = `${where.text} order by t.scope limit ${where.take(rowCount(limit))}`;
    return this.#rows(scopes, clauses, where.parameters);
  }

  async versions(scope: string): Promise<readonly VersionRow[]> {
    return this.#rows(
      versions,
      "where t.scope = $1 order by t.check_order nulls first, t.first_observed_at nulls first, t.tag, t.digest",
      [toText(scope)],
    );
  }

  async observations(
    filter: ObservationFilter,
    { limit, first, by = "time", after }: ObservationPage,
  ): Promise<readonly ObservationRow[]> {
    const { scope, outcomes, before } = filter;
    const where = new Where();
    where.equal("t.scope", scope);
    if (outcomes !== undefined) where.and(`t.outcome in (${outcomes.map((one) => where.take(one)).join(", ")})`);
    if (before !== undefined) where.and(`t.revision < ${where.take(String(before))}::bigint`);
    where.range("t.observed_at", filter);
    const [beyond, order] = first === "newest" ? ["<", "desc"] : [">", "asc"];
    if (after !== undefined) {
      const { observedAt, scope: afterScope, revision } = after;
      const [at, id, number] = [where.take(observedAt), where.take(afterScope), where.take(String(revision))];
      where.and(`t.observed_at ${beyond}= ${at}`);
      where.and(`(t.observed_at, t.scope, t.revision) ${beyond} (${at}, ${id}, ${number}::bigint)`);
    }
    const keys = by === "revision" ? ["t.revision"] : ["t.observed_at", "t.scope", "t.revision"];
    return this.#rows(
      observations,
      `${where.text} order by ${keys.map((key) => `${key} ${order}`).join(", ")} limit ${where.take(rowCount(limit))}`,
      where.parameters,
    );
  }

  async stays(
    scope: string,
    { limit, before }: { readonly limit: number; readonly before?: bigint },
  ): Promise<readonly StayRow[]> {
    return this.#rows(stays, "where t.revision < $2::bigint order by t.revision desc limit $3", [
      toText(scope),
      String(before ?? 2n ** 63n - 1n),
      rowCount(limit),
    ]);
  }

  async droppedBefore(): Promise<string | undefined> {
    const [row] = await this.#query<{ readonly day: string }>(
      `select to_char(h.dropped_before, 'YYYY-MM-DD') as day from ${this.#schema.identifier}.audit_horizon h`,
      [],
    );
    return row === undefined ? undefined : `${row.day}T00:00:00.000Z`;
  }

  async close(): Promise<void> {
    if (this.#ownsSql) await this.#sql.close();
  }

  async #checkRoom(): Promise<void> {
    try {
      await this.#sql.checkRoom?.();
    } catch (error) {
      throw storeError(error, this.#sql.name, "change the read model");
    }
  }

  async #rows<Row extends object>(
    from: Table<Row>,
    clauses: string,
    parameters: readonly SqlParameter[],
  ): Promise<readonly Row[]> {
    const rows = await this.#query(`${from.select(this.#schema.identifier)} ${clauses}`, parameters);
    return rows.map((row) => from.fromRow(row));
  }

  async #query<Row extends SqlRow>(text: string, parameters: readonly SqlParameter[]): Promise<readonly Row[]> {
    try {
      await migrateOnce(this.#sql, this.#schema.name);
      return (await again(() => this.#sql.query<Row>(text, parameters))).rows;
    } catch (error) {
      throw storeError(error, this.#sql.name, "use the read model");
    }
  }
}

const buildColumns = {
  buildId: "text",
  team: "text",
  pipeline: "text",
  job: "text",
  steps: "json",
  openedAt: "time",
} as const;
const builds = table<BuildRow>("builds", buildColumns);
const buildsById = table<BuildRow>("builds_by_id($1)", buildColumns);

const imageColumns = {
  buildId: "text",
  fetchId: "text",
  planId: "text",
  name: "text",
  type: "text",
  scope: "text",
  repository: "text",
  tag: "text",
  state: "text",
  reference: "text",
  imageURL: "text",
  digest: "text",
  version: "json",
  via: "text",
  artifact: "text",
  observedAt: "time",
  evidence: "json",
  failure: "json",
  requestedAt: "time",
  endedAt: "time",
} as const;
const images = table<BuildImageRow>("build_images", imageColumns);
const imagesOfBuilds = table<BuildImageRow>("images_of_builds($1)", imageColumns);

const scopes = table<ScopeRow>("scopes", {
  scope: "text",
  type: "text",
  repository: "text",
  tag: "text",
  pullRepository: "text",
  credential: "text",
  source: "json",
  lastCheckedAt: "time",
  lastFailure: "json",
});

const versions = table<VersionRow>("versions", {
  scope: "text",
  tag: "text",
  digest: "text",
  checkOrder: "bigint",
  firstObservedAt: "time",
  lastObservedAt: "time",
});

const observations = table<ObservationRow>("observations", {
  scope: "text",
  revision: "bigint",
  outcome: "text",
  observedAt: "time",
  tag: "text",
  digest: "text",
  via: "text",
  host: "text",
  status: "number",
  buildId: "text",
  fetchId: "text",
  node: "text",
  failure: "json",
});

const stays = table<StayRow>("stays_of_scope($1)", {
  scope: "text",
  revision: "bigint",
  outcome: "text",
  tag: "text",
  digest: "text",
  firstObservedAt: "time",
  lastObservedAt: "time",
  observations: "number",
  buildId: "text",
  fetchId: "text",
});

function rowCount(limit: number): number {
  return Math.max(0, Math.trunc(limit));
}
