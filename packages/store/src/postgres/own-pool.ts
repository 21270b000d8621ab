import { Client, type ClientConfig, Pool, type PoolConfig } from "pg";
import { standsBy } from "./options.ts";

export interface OwnPoolOptions {
  readonly connectionString: string;
  readonly size: number;
  readonly connectTimeoutMs: number;
  readonly timeoutMs: number;
  readonly pipeline: boolean;
}

/**
 * A pool of our own. The server ends what takes too long somewhat before we give its connection up, so that the outcome
 * is known, and nothing goes on there that nobody waits for.
 */
export function makeOwnPool({ connectionString, size, connectTimeoutMs, timeoutMs, pipeline }: OwnPoolOptions): Pool {
  const limits: SessionLimits = {
    statement_timeout: Math.ceil(timeoutMs * 0.9),
    // The append lock is waited for, too.
    lock_timeout: Math.ceil(timeoutMs * 0.8),
    idle_in_transaction_session_timeout: timeoutMs,
  };
  const config: PoolConfig = {
    connectionString,
    application_name: "fetch-image",
    max: size,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    // What is pending keeps the process alive; an idle connection does not.
    allowExitOnIdle: true,
    pipeline,
    ...limits,
    ...(standsBy(connectionString) ? {} : { Client: PrimaryClient }),
  };
  return new Pool(config);
}

type SessionLimits = Required<
  Pick<ClientConfig, "statement_timeout" | "lock_timeout" | "idle_in_transaction_session_timeout">
>;

/** PgBouncer takes no startup parameter that it does not know, unless it is told to ignore it. */
const refusedParameter = /unsupported startup parameter/i;

/** Where a pooler refused the session limits, leaves them out from now on; true where that was so. */
export function withoutLimits(pool: Pool, message: string): boolean {
  const options: PoolConfig = pool.options;
  if (!refusedParameter.test(message) || options.statement_timeout === undefined) return false;
  delete options.statement_timeout;
  delete options.lock_timeout;
  delete options.idle_in_transaction_session_timeout;
  return true;
}

interface Wire {
  readonly stream?: { destroy(): void };
  /** What the server says of itself when a connection begins, and again when that changes (since PostgreSQL 14). */
  on(event: "parameterStatus", listener: (message: { parameterName: string; parameterValue: string }) => void): void;
}

const standbys = new WeakSet<object>();

/** Notices whether its server is a standby, which lags behind and takes no writes. */
class PrimaryClient extends Client {
  constructor(config?: string | ClientConfig) {
    super(config);
    wireOf(this)?.on("parameterStatus", ({ parameterName, parameterValue }) => {
      if (parameterName !== "in_hot_standby") return;
      if (parameterValue === "on") standbys.add(this);
      else standbys.delete(this);
    });
  }
}

/** What is under a `pg.Client`. */
function wireOf(client: object): Wire | undefined {
  return "connection" in client ? (client.connection as Wire) : undefined;
}

/**
 * Ends a connection that is lost, with whatever is under way there. `pg` itself would wait for that in pipeline mode, even
 * where the server never answers (`Client.end`, pg 8.23).
 */
export function cutOff(client: object): void {
  wireOf(client)?.stream?.destroy();
}

/** Whether the connection is to a standby, though the URL wants the primary. */
export function isStandby(client: object): boolean {
  return standbys.has(client);
}
