import type { EventLog, ReadModel } from "@fetch-image/core";

/** Where a worker finds its store. Another kind is another line here, a way to open it below and a maker in store-makers.ts. */
export type StoreAddress =
  { readonly kind: "postgres"; readonly url: string } | { readonly kind: "pglite"; readonly directory: string };

export type StoreKind = StoreAddress["kind"];

export interface OpenStore extends AsyncDisposable {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  /** Nobody else can write it while it is open. */
  readonly soleNode: boolean;
}

/** Loads the driver of that store and of no other: processes start often. */
export function openStore(address: StoreAddress): Promise<OpenStore> {
  return address.kind === "postgres" ? openPostgres(address.url) : openPglite(address.directory);
}

async function openPostgres(connectionString: string): Promise<OpenStore> {
  const { openPostgresStore } = await import("@fetch-image/store/postgres");
  return opened(await openPostgresStore({ connectionString }), false);
}

async function openPglite(directory: string): Promise<OpenStore> {
  const { openEmbeddedStore } = await import("@fetch-image/store/pglite");
  return opened(await openEmbeddedStore({ directory }), true);
}

function opened(
  store: { readonly eventLog: EventLog; readonly readModel: ReadModel; close(): Promise<void> },
  soleNode: boolean,
): OpenStore {
  const { eventLog, readModel } = store;
  return { eventLog, readModel, soleNode, [Symbol.asyncDispose]: () => store.close() };
}
