import { FetchImageError } from "@fetch-image/core/fetching";

/** Which database: a URL, or a pool that the host keeps and ends itself. */
export type PostgresOptions = (
  | (OwnPoolSettings & { readonly connectionString: string; readonly pool?: never })
  | { readonly pool: HostPool; readonly connectionString?: never }
) & {
  /** How long a statement may take before its connection is given up, in milliseconds. Default: 30 000. On connections of
   *  our own, the server ends it by itself a little earlier; a `query_timeout` of the host's pool that is shorter holds too.
   *  Twice as long where it waits behind another (`pipeline`), which may take as long. */
  readonly timeoutMs?: number;
};

interface OwnPoolSettings {
  /** Connections at the same time, at most; an event log that is followed has one more, to listen. Default: 8. */
  readonly poolSize?: number;
  /** How long a connection may take to be made, or to become free, in milliseconds. Default: 10 000. */
  readonly connectTimeoutMs?: number;
  /** Whether the next batch of appends is sent while one is being stored; it is given up after twice `timeoutMs`. For a server
   *  that is reached directly: a pooler may give a connection that ends meanwhile, and the answer still to come there, to
   *  somebody else. Default: false. */
  readonly pipeline?: boolean;
}

/** The part of a `pg.Pool` that is used; by shape, so that nobody needs `pg`'s types to read ours. */
export interface HostPool {
  /** What its connections are made from: one more that listens for news is made alike. */
  readonly options: HostPoolOptions;
  connect(): Promise<HostClient>;
  on(event: "error", listener: (error: Error) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
}

export interface HostPoolOptions {
  readonly connectionString?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly database?: string | undefined;
  /** Whether its connections are in `pg`'s pipeline mode: then the next batch of appends is on its way while one is stored.
   *  For a server that is reached without a pooler in between. */
  readonly pipeline?: boolean | undefined;
}

/** The part of a `pg.PoolClient` that is used. */
export interface HostClient {
  query(statement: HostStatement, done: (error: Error | null | undefined, result: HostResult) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
  release(destroy?: boolean): void;
}

export interface HostStatement {
  readonly text: string;
  readonly name?: string;
  values?: unknown[];
  types?: { getTypeParser(oid: number): (value: string) => unknown };
}

export interface HostResult {
  readonly command: string;
  // As `pg` gives them: columns by name, whatever their types.
  readonly rows: ReturnType<typeof JSON.parse>[];
}

/** `PostgreSQL at db.example:5432/ci`: no user and no password. */
export function describe(options: HostPoolOptions): string {
  const { connectionString } = options;
  const from = connectionString === undefined ? options : parsed(connectionString);
  const host = [from.host, from.port].filter((part) => part !== undefined && part !== "").join(":");
  const place = [host, from.database].filter((part) => part !== undefined && part !== "").join("/");
  return place === "" ? "PostgreSQL" : `PostgreSQL at ${place}`;
}

/**
 * Whether the URL is content with a standby, by libpq's `target_session_attrs=any`. Otherwise it must be the primary.
 * Rejects with `FI_SETTING_INVALID` a URL of several hosts, and what asks for a standby.
 */
export function standsBy(connectionString: string): boolean {
  const [, hosts = "", query = ""] = /^[a-z]+:\/\/(?:[^/]*@)?([^/?]*)[^?]*(?:\?(.*))?$/is.exec(connectionString) ?? [];
  const settings = new URLSearchParams(query);
  if (`${hosts}${settings.get("host") ?? ""}`.includes(",")) {
    throw new FetchImageError("FI_SETTING_INVALID", {
      message: "the database URL names several hosts; one is needed",
      hint: "Name the one address that always leads to the primary: of a virtual IP, a DNS name or a pooler.",
    });
  }
  const wanted = settings.get("target_session_attrs") ?? "primary";
  if (wanted !== "any" && wanted !== "primary" && wanted !== "read-write") {
    throw new FetchImageError("FI_SETTING_INVALID", {
      message: "target_session_attrs of the database URL must be primary, read-write or any",
      hint: "Facts are written to the primary. A process that only reads may read a standby, late: `any`.",
    });
  }
  return wanted === "any";
}

function parsed(connectionString: string): HostPoolOptions {
  try {
    const url = new URL(connectionString);
    return { host: decodeURIComponent(url.host), database: decodeURIComponent(url.pathname.slice(1)) };
  } catch {
    return {};
  }
}
