import type {
  BuildImageRow,
  BuildRow,
  Position,
  ReadModel,
  ReadModelChanges,
  ScopeRow,
  VersionRow,
} from "@fetch-image/core";
import { toText } from "../facts/text.ts";
import { again } from "./again.ts";
import { storeError } from "./errors.ts";
import { migrateOnce } from "./migrate.ts";
import { schemaName, type SchemaName } from "./schema-name.ts";
import type { Sql, SqlParameter, SqlRow } from "./sql.ts";
import { type Table, table } from "./table.ts";

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
      `select ${this.#schema.identifier}.apply_changes($1, $2, $3, $4, $5, $6, $7) as applied`,
      [
        readModelCheckpoint,
        move.from ?? null,
        move.to,
        builds.toJson(changes.builds),
        images.toJson(changes.images),
        scopes.toJson(changes.scopes),
        versions.toJson(changes.versions),
      ],
    );
    return row?.applied === true ? "applied" : "moved-by-another";
  }

  async reset(): Promise<void> {
    await this.#query(`select ${this.#schema.identifier}.reset_read_model($1)`, [readModelCheckpoint]);
  }

  async build(buildId: string): Promise<BuildRow | undefined> {
    const rows = await this.#rows(builds, "where t.build_id = $1", [toText(buildId)]);
    return rows[0];
  }

  async builds(options: { readonly limit: number }): Promise<readonly BuildRow[]> {
    return this.#rows(
      builds,
      "order by t.opened_at desc nulls last, length(t.build_id) desc, t.build_id desc limit $1",
      [rowCount(options.limit)],
    );
  }

  async imagesOfBuild(buildId: string): Promise<readonly BuildImageRow[]> {
    return this.#rows(
      images,
      "where t.build_id = $1 order by t.requested_at nulls last, length(t.fetch_id), t.fetch_id",
      [toText(buildId)],
    );
  }

  async imagesByDigest(digest: string, options: { readonly limit: number }): Promise<readonly BuildImageRow[]> {
    return this.#rows(
      images,
      `where t.digest = $1
       order by t.requested_at desc nulls last, length(t.build_id) desc, t.build_id desc, length(t.fetch_id), t.fetch_id
       limit $2`,
      [toText(digest), rowCount(options.limit)],
    );
  }

  async scopes(filter: { readonly repository: string; readonly tag?: string }): Promise<readonly ScopeRow[]> {
    const { repository, tag } = filter;
    return this.#rows(
      scopes,
      `where t.repository = $1 ${tag === undefined ? "" : "and t.tag = $2"} order by t.tag nulls first, t.scope`,
      [toText(repository), ...(tag === undefined ? [] : [toText(tag)])],
    );
  }

  async versions(scope: string): Promise<readonly VersionRow[]> {
    return this.#rows(
      versions,
      "where t.scope = $1 order by t.check_order nulls first, t.first_observed_at nulls first, t.tag, t.digest",
      [toText(scope)],
    );
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

const builds = table<BuildRow>("builds", {
  buildId: "text",
  team: "text",
  pipeline: "text",
  job: "text",
  openedAt: "time",
});

const images = table<BuildImageRow>("build_images", {
  buildId: "text",
  fetchId: "text",
  planId: "text",
  name: "text",
  type: "text",
  scope: "text",
  state: "text",
  reference: "text",
  imageURL: "text",
  digest: "text",
  version: "json",
  via: "text",
  artifact: "text",
  evidence: "json",
  failure: "json",
  requestedAt: "time",
  endedAt: "time",
});

const scopes = table<ScopeRow>("scopes", {
  scope: "text",
  type: "text",
  repository: "text",
  tag: "text",
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

function rowCount(limit: number): number {
  return Math.max(0, Math.trunc(limit));
}
