import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type EventLog, FetchImageError, type Logger, type ReadModel } from "@fetch-image/core";
import { databaseUrl, eventStore } from "./setting-kinds.ts";

/** One event store by itself, with the read model that stands beside it, where there is one. */
export interface StoreAt extends AsyncDisposable {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel | undefined;
  /** For messages: no user and no password. */
  readonly where: string;
}

/** What a store's place is written as: `postgres://…`, `esdb://…`, or a data directory's path or `file://` URL. */
export type StorePlace =
  | { readonly kind: "postgres" | "eventstoredb"; readonly url: string; readonly where: string }
  | { readonly kind: "embedded"; readonly directory: string; readonly where: string };

/** Throws `FI_USAGE`, which never repeats what may hold a password. `option` is where it was written. */
export function storePlace(text: string, option: string): StorePlace {
  const url = text.trim();
  if (/^postgres(?:ql)?:/.test(url) && databaseUrl.parse(url) !== undefined) {
    return { kind: "postgres", url, where: databaseUrl.show(url) };
  }
  if (url !== "postgres" && eventStore.parse(url) !== undefined) {
    return { kind: "eventstoredb", url, where: eventStore.show(url) };
  }
  const directory = url.startsWith("file:") ? pathOf(url) : /^[a-z+]+:\/\//i.test(url) ? undefined : url;
  if (directory === undefined || directory === "" || directory.includes("\0")) {
    throw new FetchImageError("FI_USAGE", {
      message: `${option} names no event store`,
      hint: "Write postgres://user:password@host/database, esdb://host:2113, kurrentdb://host:2113, or the path of a data directory.",
    });
  }
  const place = resolve(directory);
  return { kind: "embedded", directory: place, where: place };
}

/** Opens it; an embedded store that is only read may be written by another process meanwhile. */
export async function openStoreAt(
  place: StorePlace,
  { access, logger }: { readonly access: "read" | "write"; readonly logger: Logger },
): Promise<StoreAt> {
  switch (place.kind) {
    case "postgres": {
      const { openPostgresStore } = await import("@fetch-image/store/postgres");
      const store = await openPostgresStore({ connectionString: place.url });
      const { eventLog, readModel } = store;
      return { eventLog, readModel, where: place.where, [Symbol.asyncDispose]: () => store.close() };
    }
    case "eventstoredb": {
      const { openEventStoreDb } = await import("@fetch-image/store/eventstoredb");
      const store = await openEventStoreDb({ connectionString: place.url, logger });
      const { eventLog, where } = store;
      return { eventLog, readModel: undefined, where, [Symbol.asyncDispose]: () => store.close() };
    }
    case "embedded": {
      const { openEmbedded } = await import("@fetch-image/store/pglite");
      const store = await openEmbedded({ directory: place.directory, access });
      const { eventLog, readModel } = store;
      return { eventLog, readModel, where: place.where, [Symbol.asyncDispose]: () => store.close() };
    }
    default:
      return place satisfies never;
  }
}

function pathOf(url: string): string | undefined {
  try {
    return fileURLToPath(url);
  } catch {
    return undefined;
  }
}
