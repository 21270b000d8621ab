import type { CancelSignal } from "@fetch-image/core/fetching";
import { again } from "./again.ts";
import { storeError } from "./errors.ts";
import { migrateOnce } from "./migrate.ts";
import { readModelCheckpoint } from "./read-model.ts";
import { schemaName } from "./schema-name.ts";
import type { Sql } from "./sql.ts";

export interface ExpireAuditOptions {
  readonly sql: Sql;
  /** Default: `fetch_image`. */
  readonly schema?: string;
  /** In milliseconds since 1970: whole days, in UTC, that end at or before this time. */
  readonly before: number;
  /** Ends it between two days; the next call goes on. */
  readonly signal?: CancelSignal;
}

export interface ExpiredAudit {
  /** `2026-11-22`, in their order: the days whose builds the read model knows no more. */
  readonly dropped: readonly string[];
  /** Days that stay, since the facts of too many of their builds are there still: those expire first. */
  readonly left: readonly string[];
}

/** So many builds of a day that have facts still are moved out of it; a day with more of them stays. */
const mostMoved = 1000;

/**
 * Forgets which images were run by builds that were opened on days before a time: the partitions of each such day are
 * dropped, whatever their size, in a transaction for each day. A build that has facts still is kept, whatever its day.
 * What was observed at the registries stays. From then on, `ReadModel.droppedBefore` says where the audit begins.
 */
export async function expireAudit(options: ExpireAuditOptions): Promise<ExpiredAudit> {
  const { sql, before, signal } = options;
  const { name, identifier } = schemaName(options.schema);
  try {
    await migrateOnce(sql, name);
    const day = new Date(before).toISOString().slice(0, 10);
    const { rows } = await sql.query<{ readonly day: string }>(
      `select to_char(d.day, 'YYYY-MM-DD') as day from ${identifier}.days d where d.day < $1::date order by d.day`,
      [day],
    );
    const dropped: string[] = [];
    const left: string[] = [];
    for (const one of rows) {
      if (signal?.aborted === true) break;
      const text = `select ${identifier}.drop_day($1, $2, $3) as dropped`;
      const answer = await again(() =>
        sql.query<{ readonly dropped: boolean }>(text, [readModelCheckpoint, one.day, mostMoved]),
      );
      (answer.rows[0]?.dropped === true ? dropped : left).push(one.day);
    }
    // Builds that were moved out of their day's way, and whose facts have gone since.
    await again(() =>
      sql.query(
        `with gone as (
           delete from ${identifier}.builds b
           where b.day = '-infinity' and b.expired_at is not null and b.opened_at < $1::date at time zone 'UTC'
           returning b.build_id
         )
         delete from ${identifier}.build_images i using gone g where i.day = '-infinity' and i.build_id = g.build_id`,
        [day],
      ),
    );
    return { dropped, left };
  } catch (error) {
    throw storeError(error, sql.name, "expire days of the audit");
  }
}
