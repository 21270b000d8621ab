import { Pool } from "pg";
import { type Sql, SqlError, type SqlParameter, type SqlQueries, type SqlResult, type SqlRow } from "../sql/sql.ts";
import { describe, type HostClient, type HostPool, type PostgresOptions } from "./options.ts";
import { PgListener } from "./pg-listener.ts";
import { asSqlError } from "./pg-errors.ts";

/** PostgreSQL over `pg`. Ends a pool of its own on `close`, and leaves one that was handed in. */
export function createPostgresSql(options: PostgresOptions): Sql {
  return new PgSql(options);
}

class PgSql implements Sql {
  readonly name: string;
  readonly #pool: HostPool;
  readonly #own: Pool | undefined;
  readonly #timeoutMs: number;
  readonly #listeners = new Set<PgListener>();
  #prepares = true;

  constructor(options: PostgresOptions) {
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    if (options.pool === undefined) {
      this.#own = ownPool(options.connectionString);
      this.#pool = this.#own;
    } else {
      this.#own = undefined;
      this.#pool = options.pool;
    }
    this.name = describe(this.#pool.options);
    // Without a listener, an idle connection that breaks would end the process. The pool drops it by itself.
    this.#pool.on("error", ignore);
  }

  async query<Row extends SqlRow>(
    text: string,
    parameters: readonly SqlParameter[] = [],
    options: { readonly name?: string } = {},
  ): Promise<SqlResult<Row>> {
    const { name } = options;
    return this.#withClient(async (client) => {
      if (name === undefined || !this.#prepares) return run<Row>(client, this.#timeoutMs, text, parameters);
      try {
        return await run<Row>(client, this.#timeoutMs, text, parameters, name);
      } catch (error) {
        if (!(error instanceof SqlError) || !unprepared.has(error.sqlState ?? "")) throw error;
        // A pooler gave the connection another backend than the one that prepared it. Nothing was done yet.
        this.#prepares = false;
        return run<Row>(client, this.#timeoutMs, text, parameters);
      }
    });
  }

  async script(text: string): Promise<void> {
    await this.#withClient((client) => run(client, this.#timeoutMs, text));
  }

  async transaction<T>(work: (tx: SqlQueries) => Promise<T>): Promise<T> {
    return this.#withClient(async (client) => {
      await run(client, this.#timeoutMs, "begin isolation level read committed");
      let result: T;
      try {
        result = await work({
          query: (text, parameters, options) => run(client, this.#timeoutMs, text, parameters, options?.name),
          script: async (text) => void (await run(client, this.#timeoutMs, text)),
        });
      } catch (error) {
        await run(client, this.#timeoutMs, "rollback").catch(ignore);
        throw error;
      }
      const { command } = await run(client, this.#timeoutMs, "commit");
      // So the server answers the commit of a transaction in which a statement had failed.
      if (command === "ROLLBACK") throw new SqlError("answered", "the transaction was rolled back", "25P02");
      return result;
    });
  }

  async listen(channel: string, heard: () => void): Promise<() => Promise<void>> {
    const listener = new PgListener(this.#pool.options, channel, heard);
    await listener.start();
    this.#listeners.add(listener);
    return async () => {
      this.#listeners.delete(listener);
      await listener.stop();
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#listeners].map((listener) => listener.stop()));
    this.#listeners.clear();
    await this.#own?.end();
    this.#pool.off("error", ignore);
  }

  async #withClient<T>(work: (client: HostClient) => Promise<T>): Promise<T> {
    let client: HostClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw asSqlError(error, "refused");
    }
    // A connection that breaks while it is held tells its statement, which is enough.
    client.on("error", ignore);
    let broken = false;
    try {
      return await work(client);
    } catch (error) {
      broken = error instanceof SqlError && error.kind !== "answered";
      throw error;
    } finally {
      client.off("error", ignore);
      client.release(broken);
    }
  }
}

function ownPool(connectionString: string): Pool {
  return new Pool({
    connectionString,
    application_name: "fetch-image",
    max: 8,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    // What is pending keeps the process alive; an idle connection does not.
    allowExitOnIdle: true,
  });
}

// The server's text form of each type, read the same whatever the host application has set on `pg.types`.
const types = { getTypeParser: (oid: number) => parsers[oid] ?? asText };

const parsers: { readonly [oid: number]: (value: string) => unknown } = {
  16: (value) => value === "t",
  21: Number,
  23: Number,
  26: Number,
  114: JSON.parse,
  3802: JSON.parse,
};

function asText(value: string): string {
  return value;
}

async function run<Row extends SqlRow>(
  client: HostClient,
  timeoutMs: number,
  text: string,
  parameters: readonly SqlParameter[] = [],
  name?: string,
): Promise<SqlResult<Row> & { readonly command: string }> {
  const statement = {
    text,
    types,
    query_timeout: timeoutMs,
    ...(parameters.length === 0 ? {} : { values: [...parameters] }),
    ...(name === undefined ? {} : { name }),
  };
  try {
    return await client.query(statement);
  } catch (error) {
    throw asSqlError(error, "lost");
  }
}

/** There is no such prepared statement, or there is one already. */
const unprepared = new Set(["26000", "42P05"]);

function ignore(): void {}
