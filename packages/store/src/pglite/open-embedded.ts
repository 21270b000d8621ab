import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type EventLog, FetchImageError, type ReadModel } from "@fetch-image/core/fetching";
import { connectToHolder, type RemoteStore } from "../readers/remote-store.ts";
import { defaultSocket } from "../readers/serve-readers.ts";
import type { Sql } from "../sql/sql.ts";
import { type Access, currentHolder, type Holder, locked } from "./directory-lock.ts";
import { type HoldingStore, holdStore } from "./holding-store.ts";
import { ReadingStore } from "./reading-store.ts";

export interface EmbeddedStoreOptions {
  /** The data directory; made where it is missing. */
  readonly directory: string;
  /** Default: `fetch_image`. */
  readonly schema?: string;
  /** How often subscriptions look for new facts where nothing was notified, in milliseconds. Default: 500. */
  readonly pollMs?: number;
}

/** A store in PGlite, held by this process. */
export interface EmbeddedStore extends AsyncDisposable {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  readonly sql: Sql;
  /** What the store survives, in a sentence to show at start. */
  readonly guarantees: string;
  close(): Promise<void>;
}

/** An embedded store for reading; `holder` is the process that holds it, undefined where that is this one. */
export interface EmbeddedReader extends AsyncDisposable {
  /** Its `append` rejects with `FI_STORE_LOCKED`. */
  readonly eventLog: EventLog;
  /** Projects too: changes go to whoever holds the store. */
  readonly readModel: ReadModel;
  readonly guarantees: string;
  holder(): Promise<{ readonly pid: number } | undefined>;
  close(): Promise<void>;
}

const guarantees =
  "embedded store: one writing process; survives a killed process, not a power loss (nothing is fsynced)";

/** How long a reader that gives way has for it: it may still be opening the store. */
const giveWayMs = 30_000;

/**
 * Opens the store in a directory for this process alone, and answers readers in other processes until it is closed.
 *
 * Rejects with `FI_STORE_LOCKED` (details: pid) where another process writes it, at once; with `FI_STORE_UNREADABLE`
 * where the directory cannot be used; with `FI_STORE_FULL` where the disk has no room; with `FI_STORE_TOO_NEW` where a
 * newer version made it. Blocks the event loop for a quarter of a second, and for three the first time: open it before
 * listening.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const directory = resolve(options.directory);
  for (const deadline = performance.now() + giveWayMs; ;) {
    try {
      const held = await holdStore({ ...options, directory, access: "write" });
      return asEmbeddedStore(held);
    } catch (error) {
      const isLocked = FetchImageError.is(error) && error.code === "FI_STORE_LOCKED";
      if (!isLocked || performance.now() > deadline || !(await askedToGiveWay(directory))) throw error;
    }
    await sleep(20);
  }
}

/**
 * Opens an embedded store to write it, as `openEmbeddedStore` does, or to read it: through the process that writes it,
 * while one does, else by itself, giving way as soon as one wants to write.
 */
export function openEmbedded(options: EmbeddedStoreOptions & { readonly access: "write" }): Promise<EmbeddedStore>;
export function openEmbedded(options: EmbeddedStoreOptions & { readonly access: "read" }): Promise<EmbeddedReader>;
export function openEmbedded(
  options: EmbeddedStoreOptions & { readonly access: Access },
): Promise<EmbeddedStore | EmbeddedReader>;
export async function openEmbedded(
  options: EmbeddedStoreOptions & { readonly access: Access },
): Promise<EmbeddedStore | EmbeddedReader> {
  if (options.access === "write") return openEmbeddedStore(options);
  const store = await ReadingStore.open({ ...options, directory: resolve(options.directory) });
  const close = (): Promise<void> => store.close();
  return {
    eventLog: store.eventLog,
    readModel: store.readModel,
    guarantees,
    holder: () => store.holder(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Connects to the process that holds the directory. Rejects with `FI_STORE_UNAVAILABLE` where none answers. */
export async function connectReader(directory: string): Promise<RemoteStore> {
  const place = resolve(directory);
  const holder = await currentHolder(place).catch(() => undefined);
  const refusal = (): FetchImageError =>
    holder === undefined
      ? new FetchImageError("FI_STORE_LOCKED", { message: `${place} is written by another process` })
      : locked(place, holder);
  return connectToHolder({ directory: place, socket: holder?.socket ?? defaultSocket }, refusal);
}

/** Whether the holder only reads, and is giving way, or is going, or has gone meanwhile. */
async function askedToGiveWay(directory: string): Promise<boolean> {
  const holder: Holder | undefined = await currentHolder(directory);
  if (holder === undefined) return true;
  if (holder.access === "write") return false;
  try {
    const remote = await connectToHolder({ directory, socket: holder.socket }, () => locked(directory, holder));
    const gives = await remote.giveWay();
    await remote.close();
    return gives;
  } catch {
    // Who is going answers nobody any more, and holds the directory until its database is closed.
    return (await currentHolder(directory))?.access !== "write";
  }
}

function asEmbeddedStore(held: HoldingStore): EmbeddedStore {
  const { eventLog, readModel, sql } = held;
  const close = (): Promise<void> => held.close();
  return { eventLog, readModel, sql, guarantees, close, [Symbol.asyncDispose]: close };
}
