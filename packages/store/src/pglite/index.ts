export {
  connectReader,
  type EmbeddedReader,
  type EmbeddedStore,
  type EmbeddedStoreOptions,
  openEmbedded,
  openEmbeddedStore,
} from "./open-embedded.ts";
export type { RemoteStore } from "../readers/remote-store.ts";
export {
  type ReadableStore,
  type ReaderServer,
  serveReaders,
  type ServeReadersOptions,
} from "../readers/serve-readers.ts";
export { expireArchived, type ExpireArchivedOptions } from "../sql/expire-archived.ts";
export { type ExpiredAudit, expireAudit, type ExpireAuditOptions } from "../sql/expire-audit.ts";
export { reclaimRoom } from "../sql/reclaim-room.ts";
export { type ExpiredBuilds, expireBuilds, type ExpireBuildsOptions } from "../sql/expire-builds.ts";
export {
  type Sql,
  SqlError,
  type SqlFailureKind,
  type SqlParameter,
  type SqlQueries,
  type SqlResult,
  type SqlRow,
} from "../sql/sql.ts";
