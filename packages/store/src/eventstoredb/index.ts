import { type EventLog, type Logger, silentLogger } from "@fetch-image/core/fetching";
import { EventStoreDbEventLog } from "./event-log.ts";
import { useLink } from "./links.ts";
import { parseConnectionString } from "./connection-string.ts";
import { Names } from "./names.ts";

export interface EventStoreDbOptions {
  /**
   * `esdb://user:password@host:2113`, `esdb://host1,host2,host3`, `esdb+discover://cluster.example`; `kurrentdb://`
   * means the same. TLS, certificates, keep-alive and discovery are settings in its query.
   */
  readonly connectionString: string;
  /** Puts a name and a dot before every stream's, so that several installations can share a server. Default: none. */
  readonly namespace?: string;
  /** Told when a connection is made anew. Default: silent. */
  readonly logger?: Logger;
  /** How long an append or a read is tried, in milliseconds. Default: `defaultDeadline` of the connection string, or 10 000. */
  readonly timeoutMs?: number;
}

export interface EventStoreDbStore extends AsyncDisposable {
  readonly eventLog: EventLog;
  /** `EventStoreDB at host:2113`: no user and no password. */
  readonly where: string;
  /** What this store promises and what not, in one line for a log at start. */
  readonly guarantees: string;
  close(): Promise<void>;
}

const guarantees =
  "EventStoreDB: appends are durable once acknowledged, as the server's cluster is; an append is at most 1 MiB unless " +
  "the server allows more; that an id stands only once is checked within a stream's repeated appends only";

/**
 * Opens an event log in EventStoreDB or KurrentDB. All that one process opens by one connection string shares one
 * client. Connects and reads, so that what is wrong shows at once: rejects with `FI_SETTING_INVALID` for the connection
 * string, with `FI_STORE_UNAVAILABLE` where the server is not reached, refuses the user, or is too old.
 */
export async function openEventStoreDb(options: EventStoreDbOptions): Promise<EventStoreDbStore> {
  const { connectionString, namespace, logger = silentLogger } = options;
  const names = new Names(namespace);
  const { settings, credentials } = parseConnectionString(connectionString);
  if (credentials !== undefined && !settings.tls)
    logger.warn("user and password are not sent to EventStoreDB without TLS");
  if (settings.nodePreference !== undefined && settings.nodePreference !== "leader") {
    logger.warn("EventStoreDB is asked at its leader only: nodePreference has no effect");
  }
  const use = await useLink(connectionString, logger);
  const eventLog = new EventStoreDbEventLog({
    use,
    names,
    timeoutMs: options.timeoutMs ?? settings.defaultDeadline ?? 10_000,
  });
  const close = (): Promise<void> => eventLog.close();
  try {
    await eventLog.probe();
  } catch (error) {
    await close();
    throw error;
  }
  return { eventLog, where: use.link.name, guarantees, close, [Symbol.asyncDispose]: close };
}
