import type { Pool } from "pg";
import { type Sql, SqlError, type SqlParameter, type SqlQueries, type SqlResult, type SqlRow } from "../sql/sql.ts";
import { describe, type HostClient, type HostPool, type PostgresOptions } from "./options.ts";
import { cutOff, isStandby, makeOwnPool, withoutLimits } from "./own-pool.ts";
import { PgLine } from "./pg-line.ts";
import { PgListener } from "./pg-listener.ts";
import { asSqlError, isBroken, readOnly } from "./pg-errors.ts";

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
  readonly #waited: string;
  /** By connection, which round of them it is of: all of a round are given up when the server takes no more writes. */
  readonly #rounds = new WeakMap<HostClient, number>();
  #round = 0;
  /** By connection, whether no pooler is in between. */
  readonly #direct = new WeakMap<HostClient, boolean>();
  #prepares = true;
  /** Connections on which nothing is prepared any more, though others have it. */
  readonly #unprepared = new WeakSet<HostClient>();
  readonly queryInLine?: NonNullable<Sql["queryInLine"]>;

  constructor(options: PostgresOptions) {
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    if (options.pool === undefined) {
      const { connectionString, poolSize: size = 8, connectTimeoutMs = 10_000, pipeline = false } = options;
      this.#own = makeOwnPool({ connectionString, size, connectTimeoutMs, timeoutMs: this.#timeoutMs, pipeline });
      this.#pool = this.#own;
      this.#waited = `none of its ${size} connections became free within ${connectTimeoutMs} ms`;
    } else {
      this.#own = undefined;
      this.#pool = options.pool;
      this.#waited = "none of its connections became free in time";
    }
    this.name = describe(this.#pool.options);
    if (this.#pool.options.pipeline === true) this.queryInLine = this.#line();
    // Without a listener, an idle connection that breaks would end the process. The pool drops it by itself.
    this.#pool.on("error", ignore);
  }

  async query<Row extends SqlRow>(
    text: string,
    parameters: readonly SqlParameter[] = [],
    options: { readonly name?: string } = {},
  ): Promise<SqlResult<Row>> {
    return this.#withClient((client) => this.#run<Row>(client, this.#timeoutMs, { text, parameters, ...options }));
  }

  #line(): NonNullable<Sql["queryInLine"]> {
    const line = new PgLine({
      withClient: (work) => this.#withClient(work),
      isDirect: (client) => this.#isDirect(client),
    });
    return (text, parameters = [], options = {}) =>
      line.run(async (client, place) => {
        try {
          const timeoutMs = Math.min(this.#timeoutMs * Math.min(place, 2), longestTimerMs);
          return await this.#run(client, timeoutMs, { text, parameters, ...options });
        } catch (error) {
          // Whatever else is under way there is lost with it, even where the connection was given up for something else.
          if (error instanceof SqlError && error.kind === "lost") cutOff(client);
          throw error;
        }
      });
  }

  /** A pooler tells a process of its own to whom it serves, so that it can be asked to cancel. */
  async #isDirect(client: HostClient): Promise<boolean> {
    const known = this.#direct.get(client);
    if (known !== undefined) return known;
    const { rows } = await run<{ readonly pid: number }>(client, this.#timeoutMs, "select pg_backend_pid() as pid");
    const isDirect = "processID" in client && client.processID === rows[0]?.pid;
    this.#direct.set(client, isDirect);
    return isDirect;
  }

  async #run<Row extends SqlRow>(
    client: HostClient,
    timeoutMs: number,
    { text, parameters, name }: Statement,
  ): Promise<SqlResult<Row>> {
    if (name === undefined || !this.#prepares || this.#unprepared.has(client))
      return run<Row>(client, timeoutMs, text, parameters);
    try {
      return await run<Row>(client, timeoutMs, text, parameters, name);
    } catch (error) {
      if (!(error instanceof SqlError) || !unprepared.has(error.sqlState ?? "")) throw error;
      // Nothing was done yet. On the server itself, the statement before this one was to be prepared and failed; else a
      // pooler gave the connection another backend than the one that prepared it, which others will meet, too.
      if (this.#direct.get(client) === true) this.#unprepared.add(client);
      else this.#prepares = false;
      return run<Row>(client, timeoutMs, text, parameters);
    }
  }

  async script(text: string): Promise<void> {
    await this.#withClient((client) => run(client, this.#timeoutMs, text));
  }

  async transaction<T>(
    work: (tx: SqlQueries) => Promise<T>,
    { takesLong = false }: { readonly takesLong?: boolean } = {},
  ): Promise<T> {
    const timeoutMs = takesLong ? 0 : this.#timeoutMs;
    return this.#withClient(async (client, giveUp) => {
      let broken = false;
      const send: typeof run = async (...statement) => {
        try {
          return await run(...statement);
        } catch (error) {
          broken ||= isBroken(error);
          throw error;
        }
      };
      await run(client, this.#timeoutMs, "begin isolation level read committed");
      let result: T;
      try {
        // For this transaction alone, so that a pooler may give the connection to others afterwards.
        if (takesLong) await send(client, timeoutMs, "set local statement_timeout = 0; set local lock_timeout = 0");
        result = await work({
          // Not prepared: where a pooler lends another of the server's connections, the first statement that is not there
          // would end the transaction.
          query: (text, parameters) => send(client, timeoutMs, text, parameters),
          script: async (text) => void (await send(client, timeoutMs, text)),
        });
      } catch (error) {
        // Whatever `work` made of what broke the connection: an answer would not come, or not help. The server rolls back
        // where a connection ends.
        if (broken) giveUp();
        else await run(client, this.#timeoutMs, "rollback").catch(giveUp);
        throw error;
      }
      const { command } = await run(client, timeoutMs, "commit");
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

  /** `giveUp`: nobody else is to have the connection, whatever `work` ends with. */
  async #withClient<T>(work: (client: HostClient, giveUp: () => void) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    // A connection that breaks while it is held tells its statement, which is enough.
    client.on("error", ignore);
    let broken = false;
    const giveUp = (): void => {
      broken = true;
      cutOff(client);
    };
    try {
      return await work(client, giveUp);
    } catch (error) {
      broken ||= isBroken(error);
      if (error instanceof SqlError && error.kind === "lost") giveUp();
      if (error instanceof SqlError && error.sqlState === readOnly) this.#round++;
      throw error;
    } finally {
      client.off("error", ignore);
      client.release(broken);
    }
  }

  async #connect(): Promise<HostClient> {
    for (;;) {
      let client: HostClient;
      try {
        client = await this.#pool.connect();
      } catch (error) {
        const failure = asSqlError(error, "refused");
        if (this.#own !== undefined && withoutLimits(this.#own, failure.message)) continue;
        if (failure.message !== "timeout exceeded when trying to connect") throw failure;
        throw new SqlError("refused", this.#waited);
      }
      const round = this.#rounds.get(client) ?? this.#round;
      this.#rounds.set(client, round);
      if (!isStandby(client) && round === this.#round) return client;
      client.release(true);
      if (isStandby(client)) throw new SqlError("refused", "the server is a standby, which takes no writes", readOnly);
    }
  }
}

/** A timer that is set for longer goes off at once. */
const longestTimerMs = 2 ** 31 - 1;

interface Statement {
  readonly text: string;
  readonly parameters: readonly SqlParameter[];
  readonly name?: string;
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

function run<Row extends SqlRow>(
  client: HostClient,
  timeoutMs: number,
  text: string,
  parameters: readonly SqlParameter[] = [],
  name?: string,
): Promise<SqlResult<Row> & { readonly command: string }> {
  const statement = {
    text,
    types,
    ...(parameters.length === 0 ? {} : { values: [...parameters] }),
    ...(name === undefined ? {} : { name }),
  };
  // Called back, and timed here: a promise, or a `query_timeout`, of `pg`'s own keeps the statement with all of its parameters
  // until V8's next full collection (docs/decisions/0021).
  return new Promise((resolve, reject) => {
    const timer = timeoutMs === 0 ? undefined : setTimeout(giveUp, timeoutMs, reject, timeoutMs);
    client.query(statement, (error, result) => {
      clearTimeout(timer);
      if (error) reject(asSqlError(error, "lost"));
      else resolve(result);
    });
  });
}

/** Whoever holds the connection breaks it off, and with it the statement. */
function giveUp(reject: (error: SqlError) => void, timeoutMs: number): void {
  reject(new SqlError("lost", `there was no answer within ${timeoutMs} ms`));
}

/** There is no such prepared statement, or there is one already. */
const unprepared = new Set(["26000", "42P05"]);

function ignore(): void {}
