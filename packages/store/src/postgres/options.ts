import type { Pool, PoolOptions } from "pg";

/** Which database: a URL, or a pool that the host keeps and ends itself. */
export type PostgresOptions = (
  | { readonly connectionString: string; readonly pool?: never }
  | { readonly pool: Pool; readonly connectionString?: never }
) & {
  /** How long a statement may take before its connection is given up, in milliseconds. Default: 30 000. */
  readonly timeoutMs?: number;
};

/** `PostgreSQL at db.example:5432/ci`: no user and no password. */
export function describe(options: PoolOptions): string {
  const { connectionString } = options;
  const from = connectionString === undefined ? options : parsed(connectionString);
  const host = [from.host, from.port].filter((part) => part !== undefined && part !== "").join(":");
  const place = [host, from.database].filter((part) => part !== undefined && part !== "").join("/");
  return place === "" ? "PostgreSQL" : `PostgreSQL at ${place}`;
}

function parsed(connectionString: string): Pick<PoolOptions, "host" | "port" | "database"> {
  try {
    const url = new URL(connectionString);
    return { host: decodeURIComponent(url.host), database: decodeURIComponent(url.pathname.slice(1)) };
  } catch {
    return {};
  }
}
