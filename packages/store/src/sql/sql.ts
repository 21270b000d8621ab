/** A value handed to a statement. Bytes are an array in PostgreSQL's own binary form. */
export type SqlParameter = string | number | boolean | null | Uint8Array;

/** Columns by name: int8 as a string, int4 as a number, bool, json as what it parses to, everything else as its text. */
export type SqlRow = { readonly [column: string]: unknown };

export interface SqlResult<Row extends SqlRow = SqlRow> {
  readonly rows: readonly Row[];
}

/** What runs statements: the database, or one transaction in it. */
export interface SqlQueries {
  /** One statement, committed by itself outside of a transaction. `name` lets a driver prepare it once per connection;
   *  the same name always goes with the same text. */
  query<Row extends SqlRow = SqlRow>(
    text: string,
    parameters?: readonly SqlParameter[],
    options?: { readonly name?: string },
  ): Promise<SqlResult<Row>>;
  /** Several statements without parameters. */
  script(text: string): Promise<void>;
}

/**
 * PostgreSQL, wherever it runs. An error of one statement never disturbs the next one.
 * Every rejection is a `SqlError`.
 */
export interface Sql extends SqlQueries {
  /** Where the database is, in words for an error message; never holds a password. */
  readonly name: string;
  /** Whether statements run on this very thread, which does nothing else meanwhile. */
  readonly isInThread?: boolean;
  /**
   * Like `query`, behind the statements that were sent so before: it is on its way while they are done, and is answered after
   * them. Each succeeds or fails by itself. Absent where the next statement waits until the one before is answered.
   */
  queryInLine?<Row extends SqlRow = SqlRow>(
    text: string,
    parameters?: readonly SqlParameter[],
    options?: { readonly name?: string },
  ): Promise<SqlResult<Row>>;
  /** Runs `work` in one transaction at READ COMMITTED: committed when it resolves, rolled back when it rejects.
   *  Inside `work` only `tx` may be used. `takesLong`: no statement of it is ended for the time it takes. */
  transaction<T>(work: (tx: SqlQueries) => Promise<T>, options?: { readonly takesLong?: boolean }): Promise<T>;
  /** Calls `heard` for every NOTIFY on the channel, and after every reconnection, since some may have been missed.
   *  The returned function ends it. */
  listen(channel: string, heard: () => void): Promise<() => Promise<void>>;
  /** Rejects with `kind: "refused"`, SQLSTATE 53100, where the disk has no room for another write. */
  checkRoom?(): Promise<void>;
  close(): Promise<void>;
}

/**
 * How a statement failed.
 * - `refused`: it was never sent, so nothing was done.
 * - `answered`: the server said that it failed, so nothing was done.
 * - `lost`: the connection went, or time ran out, before the answer; whether it was done is unknown.
 */
export type SqlFailureKind = "refused" | "answered" | "lost";

/** Holds the server's message and SQLSTATE and nothing that was sent to it. */
export class SqlError extends Error {
  override readonly name: string = "SqlError";
  readonly kind: SqlFailureKind;
  readonly sqlState: string | undefined;

  constructor(kind: SqlFailureKind, message: string, sqlState?: string) {
    super(message);
    this.kind = kind;
    this.sqlState = sqlState;
  }
}
