import type { EventLog, FetchImageError, ReadModel } from "@fetch-image/core/fetching";
import { Connection, type HolderAddress, subscribeTo } from "./connection.ts";
import { changesToWire, factFromWire, revisionFromWire, revisionToWire, versionFromWire } from "./protocol.ts";
import type { ReadableStore } from "./serve-readers.ts";

export interface RemoteStore extends ReadableStore {
  /** Asks the holder to give way to a writer; true where it will. */
  giveWay(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * The store of another process, read through its socket. `refusal` is what an append rejects with.
 * Everything else rejects with `FI_STORE_UNAVAILABLE` once the other process has gone.
 */
export async function connectToHolder(address: HolderAddress, refusal: () => FetchImageError): Promise<RemoteStore> {
  const connection = await Connection.open(address);
  const close = async (): Promise<void> => connection.close();
  return {
    eventLog: remoteEventLog(address, connection, refusal),
    readModel: remoteReadModel(connection),
    giveWay: () => connection.ask("yield", {}),
    close,
  };
}

function remoteEventLog(address: HolderAddress, connection: Connection, refusal: () => FetchImageError): EventLog {
  return {
    append: async () => {
      throw refusal();
    },
    read: async (stream, { from, ...options } = {}) => {
      const asked = { stream, options: { ...options, ...(from === undefined ? {} : { from: String(from) }) } };
      return (await connection.ask("read", asked)).map(factFromWire);
    },
    readAll: async (options) => {
      const page = await connection.ask("readAll", { options });
      return { ...page, facts: page.facts.map(factFromWire), next: page.next ?? undefined };
    },
    subscribe: (options) => subscribeTo(address, options),
    close: async () => undefined,
  };
}

function remoteReadModel(connection: Connection): ReadModel {
  return {
    checkpoint: async () => (await connection.ask("checkpoint", {})) ?? undefined,
    apply: async (changes, { from, to }) => {
      return connection.ask("apply", { changes: changesToWire(changes), from: from ?? null, to });
    },
    reset: async () => void (await connection.ask("reset", {})),
    build: async (buildId) => (await connection.ask("build", { buildId })) ?? undefined,
    builds: (query) => connection.ask("builds", { query }),
    imagesOfBuild: (buildId) => connection.ask("imagesOfBuild", { buildId }),
    images: (filter, page) => connection.ask("images", { filter, page }),
    scope: async (scope) => (await connection.ask("scope", { scope })) ?? undefined,
    scopes: (filter) => connection.ask("scopes", { filter }),
    everyScope: (page) => connection.ask("everyScope", { page }),
    versions: async (scope) => (await connection.ask("versions", { scope })).map(versionFromWire),
    observations: async ({ before, ...filter }, { after, ...page }) => {
      const asked = {
        filter: { ...filter, ...(before === undefined ? {} : { before: String(before) }) },
        page: { ...page, ...(after === undefined ? {} : { after: revisionToWire(after) }) },
      };
      return (await connection.ask("observations", asked)).map(revisionFromWire);
    },
    stays: async (scope, { limit, before }) => {
      const asked = { scope, limit, ...(before === undefined ? {} : { before: String(before) }) };
      return (await connection.ask("stays", asked)).map(revisionFromWire);
    },
    droppedBefore: async () => (await connection.ask("droppedBefore", {})) ?? undefined,
    close: async () => undefined,
  };
}
