import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { type EventLog, FetchImageError, type ReadModel } from "@fetch-image/core/fetching";
import { type ReadableStore, type ReaderServer, serveReaders } from "../readers/serve-readers.ts";
import { SqlEventLog } from "../sql/event-log.ts";
import { SqlReadModel } from "../sql/read-model.ts";
import type { Sql } from "../sql/sql.ts";
import { directoryError } from "./directory-errors.ts";
import { type Access, acquireLock, type DirectoryLock } from "./directory-lock.ts";
import { openDatabase } from "./open-database.ts";

export interface HoldingOptions {
  readonly directory: string;
  readonly schema?: string;
  readonly pollMs?: number;
  readonly access: Access;
  /** Asked by a writer in another process; true to give way. */
  readonly giveWay?: () => boolean;
}

/** A store whose directory this process holds. */
export interface HoldingStore extends ReadableStore {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  readonly sql: Sql;
  close(): Promise<void>;
}

/**
 * Takes the directory, opens the database in it, and answers readers. The socket listens before the lock names it, so
 * whoever finds the lock can connect, and waits there until the store is open.
 */
export async function holdStore(options: HoldingOptions): Promise<HoldingStore> {
  const { directory } = options;
  const store = aPromise<ReadableStore>();
  let server: ReaderServer | undefined;
  let lock: DirectoryLock | undefined;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { socket, listening } = await listen(options, store.promise);
    server = listening;
    lock = await acquireLock(directory, { access: options.access, socket });
    tidy(directory, socket);
    const held = await open(options, server, lock);
    store.resolve(held);
    return held;
  } catch (error) {
    const typed = directoryError(error, directory);
    store.reject(typed);
    await server?.close();
    lock?.release();
    throw typed;
  }
}

/** Removes what processes that were killed have left. */
function tidy(directory: string, socket: string): void {
  if (!isAbsolute(socket) && !existsSync(join(directory, socket))) {
    // Another holder took it for a dead one's, and has gone since.
    throw new FetchImageError("FI_STORE_UNAVAILABLE", { message: `${directory} changed hands while it was opened` });
  }
  for (const name of readdirSync(directory)) {
    if (/^(?:socket|lock)-/.test(name) && name !== socket) rmSync(join(directory, name), { force: true });
  }
}

async function open(options: HoldingOptions, server: ReaderServer, lock: DirectoryLock): Promise<HoldingStore> {
  const { directory, schema, pollMs } = options;
  const sql = await openDatabase(directory, schema);
  const inSchema = schema === undefined ? {} : { schema };
  const eventLog = new SqlEventLog({ sql, ownsSql: false, ...inSchema, ...(pollMs === undefined ? {} : { pollMs }) });
  const readModel = new SqlReadModel({ sql, ownsSql: false, ...inSchema });
  let closing: Promise<void> | undefined;
  const closeAll = async (): Promise<void> => {
    await server.close();
    await eventLog.close();
    await sql.close();
    lock.release();
  };
  return { eventLog, readModel, sql, close: () => (closing ??= closeAll()) };
}

async function listen(
  { directory, giveWay }: HoldingOptions,
  store: Promise<ReadableStore>,
): Promise<{ readonly socket: string; readonly listening: ReaderServer }> {
  const name = `socket-${randomUUID().slice(0, 8)}`;
  const serve = (socket: string): Promise<ReaderServer> =>
    serveReaders({ directory, socket, store, ...(giveWay === undefined ? {} : { giveWay }) });
  try {
    return { socket: name, listening: await serve(name) };
  } catch {
    // A file system without sockets, or a path too long for one where Linux cannot help: the lock tells where it is.
    const socket = join(tmpdir(), `fetch-image-${name}`);
    return { socket, listening: await serve(socket) };
  }
}

interface OpenPromise<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

function aPromise<T>(): OpenPromise<T> {
  let settle: Omit<OpenPromise<T>, "promise"> = { resolve: () => undefined, reject: () => undefined };
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  // Readers hear of a failure; where there are none, the one who opens the store does.
  promise.catch(() => undefined);
  return { promise, ...settle };
}
