import type { EventLog, FetchImageError, ReadModel } from "@fetch-image/core";
import { Connection, type HolderAddress, subscribeTo } from "./connection.ts";
import { factFromWire, versionFromWire, versionToWire } from "./protocol.ts";
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
      const versions = changes.versions.map(versionToWire);
      return connection.ask("apply", { changes: { ...changes, versions }, from: from ?? null, to });
    },
    reset: async () => void (await connection.ask("reset", {})),
    build: async (buildId) => (await connection.ask("build", { buildId })) ?? undefined,
    builds: ({ limit }) => connection.ask("builds", { limit }),
    imagesOfBuild: (buildId) => connection.ask("imagesOfBuild", { buildId }),
    imagesByDigest: (digest, { limit }) => connection.ask("imagesByDigest", { digest, limit }),
    scopes: (filter) => connection.ask("scopes", { filter }),
    versions: async (scope) => (await connection.ask("versions", { scope })).map(versionFromWire),
    close: async () => undefined,
  };
}
