// Where facts are kept and projected. Each adapter is imported when it is wired, so that a command that needs none loads none.
import { existsSync, readdirSync, statSync } from "node:fs";
import type { EventLog, Logger, ReadModel } from "@fetch-image/core";
import type { Projector } from "@fetch-image/engine";
import type { ArchivedBuild } from "@fetch-image/store/archive";
import type * as Postgres from "@fetch-image/store/postgres";
import type { EffectiveSettings } from "./effective-settings.ts";
import { databaseUrl } from "./setting-kinds.ts";

export interface Stores extends AsyncDisposable {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  /** For messages. */
  readonly where: string;
  /** Whether this process is the only one that writes. */
  readonly soleNode: boolean;
  /** Undefined where this process only reads, or the store is another process's. */
  readonly retention: Retention | undefined;
  /** The process that holds an embedded store, where it is another one. */
  holder(): Promise<{ readonly pid: number } | undefined>;
}

/** How facts, and days of the audit, are given up. */
interface Retention {
  /** Undefined where the facts stand in EventStoreDB: a stream that it deleted cannot be restored as it was. */
  readonly expireArchived:
    ((builds: readonly ArchivedBuild[]) => Promise<{ builds: number; facts: number }>) | undefined;
  /** After facts were removed. */
  readonly reclaimRoom: () => Promise<void>;
  readonly expireAudit: (options: {
    readonly before: number;
    readonly signal: AbortSignal;
  }) => Promise<Postgres.ExpiredAudit>;
}

export interface OpenStoresOptions {
  /** The embedded store has one writer; `read` works beside it, and projects through it. */
  readonly access: "read" | "write";
  /** A reader that stays makes the store where there is none: what is written later is in it. */
  readonly makes?: true;
  readonly logger: Logger;
}

/**
 * The facts, and what is projected from them: on one PostgreSQL or in one data directory, or the facts in EventStoreDB.
 * Throws `FI_STORE_LOCKED` naming the holder's pid, `FI_STORE_UNREADABLE`, `FI_STORE_UNAVAILABLE`.
 */
export async function openStores(settings: EffectiveSettings, options: OpenStoresOptions): Promise<Stores> {
  const { eventStore } = settings.values;
  const stores = await openPostgres(settings, options);
  if (eventStore === "postgres") return stores;
  try {
    const { openEventStoreDb } = await import("@fetch-image/store/eventstoredb");
    const { logger } = options;
    const facts = await openEventStoreDb({ connectionString: eventStore, logger });
    const { eventLog, where } = facts;
    logger.info(facts.guarantees, { where });
    const { retention } = stores;
    return {
      eventLog,
      readModel: stores.readModel,
      retention: retention === undefined ? undefined : { ...retention, expireArchived: undefined },
      where,
      // Others may keep their facts there, too.
      soleNode: false,
      holder: () => stores.holder(),
      async [Symbol.asyncDispose]() {
        await facts.close();
        await stores[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await stores[Symbol.asyncDispose]();
    throw error;
  }
}

async function openPostgres(
  settings: EffectiveSettings,
  { access, makes, logger }: OpenStoresOptions,
): Promise<Stores> {
  const { databaseUrl: url, data } = settings.values;
  if (url !== undefined) return await openServer(url, settings);
  const isNew = access === "read" && isEmpty(data);
  if (isNew && makes !== true) return await openNothing(data);
  const { openEmbedded } = await import("@fetch-image/store/pglite");
  if (isNew) await (await openEmbedded({ directory: data, access: "write" })).close();
  const store = await openEmbedded({ directory: data, access });
  const { eventLog, readModel, guarantees } = store;
  logger.info(guarantees, { directory: data });
  return {
    eventLog,
    readModel,
    where: data,
    soleNode: access === "write",
    retention: "sql" in store ? retentionOf(store.sql, await import("@fetch-image/store/pglite")) : undefined,
    holder: async () => ("holder" in store ? await store.holder() : undefined),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

async function openServer(url: string, { values }: EffectiveSettings): Promise<Stores> {
  const postgres = await import("@fetch-image/store/postgres");
  const { databaseConnections: poolSize, databasePipeline: pipeline } = values;
  const store = await postgres.openPostgresStore({ connectionString: url, poolSize, pipeline });
  const { eventLog, readModel, sql } = store;
  return {
    eventLog,
    readModel,
    where: databaseUrl.show(url),
    ...shared,
    retention: retentionOf(sql, postgres),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

/** Each driver's entry has the two functions, so that neither loads the other's. */
function retentionOf(
  sql: Postgres.Sql,
  from: Pick<typeof Postgres, "expireArchived" | "expireAudit" | "reclaimRoom">,
): Retention {
  return {
    expireArchived: (builds) => from.expireArchived({ sql, builds }),
    reclaimRoom: () => from.reclaimRoom({ sql }),
    expireAudit: (options) => from.expireAudit({ sql, ...options }),
  };
}

/** What is read where nothing was ever stored: reading makes no data directory. */
async function openNothing(data: string): Promise<Stores> {
  const { createMemoryEventLog, createMemoryReadModel } = await import("@fetch-image/store/memory");
  const eventLog = createMemoryEventLog();
  const readModel = createMemoryReadModel();
  return { eventLog, readModel, where: data, ...shared, [Symbol.asyncDispose]: () => eventLog.close() };
}

const shared = { soleNode: false, retention: undefined, holder: () => Promise.resolve(undefined) } as const;

function isEmpty(directory: string): boolean {
  return !existsSync(directory) || (statSync(directory).isDirectory() && readdirSync(directory).length === 0);
}

export async function openProjector({ eventLog, readModel }: Stores, logger: Logger): Promise<Projector> {
  const { createProjector, systemClock } = await import("@fetch-image/engine");
  return createProjector({ eventLog, readModel, clock: systemClock, logger });
}

/** Brings the read model up to what is stored now. */
export async function projectToHead(stores: Stores, logger: Logger): Promise<void> {
  await (await openProjector(stores, logger)).catchUp();
}
