import { statfsSync } from "node:fs";
import type { PGlite, Results } from "@electric-sql/pglite";
import { type Sql, SqlError, type SqlParameter, type SqlQueries, type SqlResult, type SqlRow } from "../sql/sql.ts";
import { Serial } from "./serial.ts";

export interface PgliteSqlOptions {
  /** Where the database is, in words for an error message. */
  readonly name: string;
  /** Opens the database; called again where an instance has died. */
  readonly open: () => Promise<PGlite>;
  /** A directory on the disk that the database is on, to look for room. */
  readonly directory?: string;
}

/** Free bytes below which nothing is written: short of room for its log, PostgreSQL would stop altogether. */
const reserveBytes = 24 * 1024 * 1024;
/** How much log may gather before it is written back. Alone in its process, PostgreSQL never does that by itself. */
const checkpointBytes = 16 * 1024 * 1024;
/** How much is sent, in statements or in bytes, before it is looked how much log there is. */
const statementsBetweenLooks = 256;
const bytesBetweenLooks = 4 * 1024 * 1024;
/** How often an instance that died is replaced. */
const reopenMs = 1_000;

/**
 * PostgreSQL inside this process, through PGlite's native API. Statements run one at a time.
 *
 * Where the instance dies (PGlite swallows what WebAssembly throws, and the next call on it would never return), the
 * statement is `lost`, the instance is never called again, and the next statement opens a new one on the same directory.
 */
export class PgliteSql implements Sql {
  readonly name: string;
  readonly isInThread = true;
  readonly #options: PgliteSqlOptions;
  readonly #serial = new Serial();
  readonly #heard = new Map<() => void, string>();
  #db: PGlite | undefined;
  #openedAt = -Infinity;
  #statements = 0;
  #bytes = 0;
  #checkpointedAt = 0;
  #roomSeenAt = -Infinity;
  #closed = false;

  constructor(options: PgliteSqlOptions, db: PGlite) {
    this.name = options.name;
    this.#options = options;
    this.#db = db;
  }

  async query<Row extends SqlRow>(text: string, parameters: readonly SqlParameter[] = []): Promise<SqlResult<Row>> {
    return this.#serial.run(async () => {
      const db = await this.#ready();
      const result = await this.#query<Row>(db, text, parameters);
      this.#statements++;
      for (const parameter of parameters) this.#bytes += sizeOf(parameter);
      await this.#tidy(db);
      return result;
    });
  }

  async script(text: string): Promise<void> {
    await this.#serial.run(async () => {
      await this.#script(await this.#ready(), text);
    });
  }

  async transaction<T>(work: (tx: SqlQueries) => Promise<T>): Promise<T> {
    return this.#serial.run(async () => {
      const db = await this.#ready();
      await this.#script(db, "begin isolation level read committed");
      let result: T;
      try {
        result = await work({
          query: (text, parameters = []) => this.#query(db, text, parameters),
          script: async (text) => {
            await this.#script(db, text);
          },
        });
      } catch (error) {
        if (this.#db === db) await this.#script(db, "rollback");
        throw error;
      }
      const [committed] = await this.#script(db, "commit");
      // So the server answers the commit of a transaction in which a statement had failed.
      if (committed?.command === "ROLLBACK") throw new SqlError("answered", "the transaction was rolled back", "25P02");
      return result;
    });
  }

  async listen(channel: string, heard: () => void): Promise<() => Promise<void>> {
    await this.#serial.run(async () => this.#listen(await this.#ready(), channel, heard));
    this.#heard.set(heard, channel);
    return async () => {
      this.#heard.delete(heard);
      await this.#serial.run(async () => {
        if (!this.#closed && this.#db !== undefined) await this.#db.unlisten(channel, heard);
      });
    };
  }

  async checkRoom(): Promise<void> {
    const { directory } = this.#options;
    // One look lasts for a moment, in which less can be written than is kept in reserve.
    if (directory === undefined || performance.now() - this.#roomSeenAt < 50) return;
    const { bavail, bsize } = statfsSync(directory);
    if (bavail * bsize < reserveBytes) {
      throw new SqlError(
        "refused",
        `only ${Math.floor((bavail * bsize) / 1024)} KiB are free in ${directory}`,
        "53100",
      );
    }
    this.#roomSeenAt = performance.now();
  }

  async close(): Promise<void> {
    await this.#serial.run(async () => {
      if (this.#closed) return;
      this.#closed = true;
      const db = this.#db;
      this.#db = undefined;
      await db?.close();
    });
  }

  async #ready(): Promise<PGlite> {
    if (this.#closed) throw new SqlError("refused", "the embedded store is closed");
    if (this.#db !== undefined) return this.#db;
    if (performance.now() - this.#openedAt < reopenMs)
      throw new SqlError("refused", "the embedded store has just died");
    this.#openedAt = performance.now();
    await this.checkRoom();
    try {
      this.#db = await this.#options.open();
    } catch (error) {
      throw new SqlError("refused", error instanceof Error ? error.message : String(error));
    }
    for (const [heard, channel] of this.#heard) {
      await this.#listen(this.#db, channel, heard);
      heard();
    }
    return this.#db;
  }

  async #query<Row extends SqlRow>(
    db: PGlite,
    text: string,
    parameters: readonly SqlParameter[],
  ): Promise<SqlResult<Row>> {
    const result = await this.#guard(db, () => db.query<Row>(text, [...parameters]));
    this.#assertAnswered(db, result);
    return result;
  }

  async #script(db: PGlite, text: string): Promise<readonly Results[]> {
    const results = await this.#guard(db, () => db.exec(text));
    for (const result of results) this.#assertAnswered(db, result);
    return results;
  }

  async #listen(db: PGlite, channel: string, heard: () => void): Promise<void> {
    await this.#guard(db, () => db.listen(channel, heard));
  }

  async #guard<T>(db: PGlite, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const failure = asSqlError(error);
      if (failure.kind === "lost") this.#bury(db);
      throw failure;
    }
  }

  // Whatever ran to its end says what it was.
  #assertAnswered(db: PGlite, result: Results<unknown> | undefined): void {
    if (result?.command !== undefined) return;
    this.#bury(db);
    throw new SqlError("lost", "the embedded PostgreSQL stopped in the middle of a statement");
  }

  #bury(db: PGlite): void {
    if (this.#db === db) this.#db = undefined;
  }

  // Here, and not in the background, so that it never meets another statement or the close.
  async #tidy(db: PGlite): Promise<void> {
    if (this.#statements < statementsBetweenLooks && this.#bytes < bytesBetweenLooks) return;
    this.#statements = 0;
    this.#bytes = 0;
    try {
      const { rows } = await this.#query<{ readonly bytes: string }>(
        db,
        "select (pg_current_wal_insert_lsn() - '0/0')::int8 as bytes",
        [],
      );
      const bytes = Number(rows[0]?.bytes);
      if (bytes - this.#checkpointedAt < checkpointBytes) return;
      await this.#script(db, "checkpoint");
      this.#checkpointedAt = bytes;
    } catch {
      // The statement before it succeeded; a dead instance shows at the next one.
    }
  }
}

function sizeOf(parameter: SqlParameter): number {
  return typeof parameter === "string" || parameter instanceof Uint8Array ? parameter.length : 0;
}

function asSqlError(error: unknown): SqlError {
  const { code, severity, message, errno } = fieldsOf(error);
  const text = typeof message === "string" && message !== "" ? message : `error ${String(errno ?? error)}`;
  if (text === "PGlite is closed" || text === "PGlite is closing") return new SqlError("refused", text);
  const sqlState = typeof code === "string" ? code : undefined;
  return new SqlError(severity === "ERROR" && sqlState !== undefined ? "answered" : "lost", text, sqlState);
}

function fieldsOf(error: unknown): { readonly [field in "code" | "severity" | "message" | "errno"]?: unknown } {
  return typeof error === "object" && error !== null ? error : {};
}
