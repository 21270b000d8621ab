import type { EventLog, ReadModel } from "@fetch-image/core";

/** Where a worker finds its store. Another kind is another line here, a way to open it below and a maker in store-makers.ts. */
export type StoreAddress =
  | DatabaseAddress
  /** The facts there, and what is projected from them in a database. */
  | { readonly kind: "eventstoredb"; readonly url: string; readonly readModel: DatabaseAddress };

export type DatabaseAddress =
  /** The other one sends the next batch of appends while one is stored. */
  | { readonly kind: "postgres" | "postgres-pipeline"; readonly url: string }
  | { readonly kind: "pglite"; readonly directory: string };

export type StoreKind = StoreAddress["kind"];

export interface OpenStore extends AsyncDisposable {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  /** Nobody else can write it while it is open. */
  readonly soleNode: boolean;
}

/** Loads the driver of that store and of no other: processes start often. */
export function openStore(address: StoreAddress): Promise<OpenStore> {
  switch (address.kind) {
    case "postgres":
      return openPostgres(address.url, { pipeline: false });
    case "postgres-pipeline":
      return openPostgres(address.url, { pipeline: true });
    case "pglite":
      return openPglite(address.directory);
    case "eventstoredb":
      return openEventStore(address.url, address.readModel);
    default:
      return address satisfies never;
  }
}

async function openPostgres(connectionString: string, options: { readonly pipeline: boolean }): Promise<OpenStore> {
  const { openPostgresStore } = await import("@fetch-image/store/postgres");
  return opened(await openPostgresStore({ connectionString, ...options }), false);
}

async function openPglite(directory: string): Promise<OpenStore> {
  const { openEmbeddedStore } = await import("@fetch-image/store/pglite");
  return opened(await openEmbeddedStore({ directory }), true);
}

async function openEventStore(connectionString: string, database: DatabaseAddress): Promise<OpenStore> {
  const { openEventStoreDb } = await import("@fetch-image/store/eventstoredb");
  const [facts, projected] = await Promise.all([openEventStoreDb({ connectionString }), openStore(database)]);
  return {
    eventLog: facts.eventLog,
    readModel: projected.readModel,
    soleNode: false,
    async [Symbol.asyncDispose]() {
      await facts.close();
      await projected[Symbol.asyncDispose]();
    },
  };
}

function opened(
  store: { readonly eventLog: EventLog; readonly readModel: ReadModel; close(): Promise<void> },
  soleNode: boolean,
): OpenStore {
  const { eventLog, readModel } = store;
  return { eventLog, readModel, soleNode, [Symbol.asyncDispose]: () => store.close() };
}
