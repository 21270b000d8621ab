import { Client } from "pg";
import { afterAll, beforeEach } from "vitest";
import { postgresMissing, startPostgres, type TestPostgres } from "../support/postgres.ts";

export interface DatabaseForEach {
  readonly server: TestPostgres;
  /** Of the test's own database. */
  readonly url: string;
  /** The URL through another port. */
  through(port: number): string;
  rawClient(): Promise<Client & AsyncDisposable>;
}

/** One server for the tests of a file, each with an empty database on it. They are skipped where PostgreSQL is missing. */
export function databaseForEach(): DatabaseForEach {
  const missing = postgresMissing();
  let starting: Promise<TestPostgres> | undefined;
  let server: TestPostgres | undefined;
  let url = "";
  beforeEach(async ({ skip }) => {
    if (missing !== undefined) skip(missing);
    starting ??= startPostgres();
    server = await starting;
    url = await server.createDatabase();
  });
  afterAll(async () => (await starting)?.stop());
  return {
    get server() {
      if (server === undefined) throw new Error("the server is there in tests alone");
      return server;
    },
    get url() {
      return url;
    },
    through(port) {
      const changed = new URL(url);
      changed.port = String(port);
      return changed.href;
    },
    async rawClient() {
      const client = new Client({ connectionString: url });
      client.on("error", () => undefined);
      await client.connect();
      return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
    },
  };
}
