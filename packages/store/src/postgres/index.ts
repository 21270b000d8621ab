import type { EventLog, ReadModel } from "@fetch-image/core/fetching";
import { SqlEventLog } from "../sql/event-log.ts";
import { migrateOnce } from "../sql/migrate.ts";
import { SqlReadModel } from "../sql/read-model.ts";
import type { Sql } from "../sql/sql.ts";
import type { PostgresOptions } from "./options.ts";
import { createPostgresSql } from "./pg-sql.ts";

export { createPostgresSql };
export { expireArchived, type ExpireArchivedOptions } from "../sql/expire-archived.ts";
export { type ExpiredAudit, expireAudit, type ExpireAuditOptions } from "../sql/expire-audit.ts";
export { reclaimRoom } from "../sql/reclaim-room.ts";
export { type ExpiredBuilds, expireBuilds, type ExpireBuildsOptions } from "../sql/expire-builds.ts";
export { migrate } from "../sql/migrate.ts";
export {
  type Sql,
  SqlError,
  type SqlFailureKind,
  type SqlParameter,
  type SqlQueries,
  type SqlResult,
  type SqlRow,
} from "../sql/sql.ts";
export type { HostClient, HostPool, HostPoolOptions, HostResult, HostStatement, PostgresOptions } from "./options.ts";

/** Where the tables are: a database of PostgreSQL, or an `Sql` that the caller keeps and closes. */
export type PostgresStoreOptions = (PostgresOptions | { readonly sql: Sql }) & {
  /** Default: `fetch_image`. Made where it is missing. */
  readonly schema?: string;
};

/**
 * An event log in PostgreSQL. Nothing is connected to before the first use; `close` ends a connection that this call
 * opened.
 */
export function createPostgresEventLog(
  options: PostgresStoreOptions & {
    /** How often subscriptions look for new facts where no NOTIFY came, in milliseconds. Default: 500. */
    readonly pollMs?: number;
  },
): EventLog {
  const { schema, pollMs } = options;
  return new SqlEventLog({
    ...connection(options),
    ...(schema === undefined ? {} : { schema }),
    ...(pollMs === undefined ? {} : { pollMs }),
  });
}

/** A read model in PostgreSQL; it may be another database than the event log's, or another store altogether. */
export function createPostgresReadModel(options: PostgresStoreOptions): ReadModel {
  const { schema } = options;
  return new SqlReadModel({ ...connection(options), ...(schema === undefined ? {} : { schema }) });
}

/** Event log and read model over one pool. Connects and brings the schema up to date, so that what is wrong shows at once. */
export async function openPostgresStore(
  options: PostgresStoreOptions & { readonly pollMs?: number },
): Promise<PostgresStore> {
  const { sql, ownsSql } = connection(options);
  try {
    await migrateOnce(sql, options.schema);
  } catch (error) {
    if (ownsSql) await sql.close();
    throw error;
  }
  const eventLog = createPostgresEventLog({ ...options, sql });
  const readModel = createPostgresReadModel({ ...options, sql });
  const close = async (): Promise<void> => {
    await eventLog.close();
    await readModel.close();
    if (ownsSql) await sql.close();
  };
  return { eventLog, readModel, sql, close, [Symbol.asyncDispose]: close };
}

export interface PostgresStore extends AsyncDisposable {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  readonly sql: Sql;
  close(): Promise<void>;
}

function connection(options: PostgresStoreOptions): { readonly sql: Sql; readonly ownsSql: boolean } {
  if ("sql" in options) return { sql: options.sql, ownsSql: false };
  return { sql: createPostgresSql(options), ownsSql: true };
}
