import { rmSync } from "node:fs";
import { type EmbeddedStore, openEmbeddedStore, type Sql } from "@fetch-image/store/pglite";
import { afterAll } from "vitest";
import { embeddedDirectory } from "../support/embedded.ts";
import { emptySchema } from "./empty-schema.ts";

/** One embedded store for the tests of a file, opened when the first of them needs it and closed after the last. */
export function sharedEmbedded(): {
  /** An empty store in it. */
  empty(): Promise<{ readonly sql: Sql; readonly schema: string }>;
  sql(): Promise<Sql>;
} {
  let opening: Promise<EmbeddedStore> | undefined;
  let directory: string | undefined;
  const open = async (): Promise<EmbeddedStore> => {
    directory = await embeddedDirectory();
    return openEmbeddedStore({ directory });
  };
  const sql = async (): Promise<Sql> => (await (opening ??= open())).sql;
  afterAll(async () => {
    await (await opening)?.close();
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  });
  return { sql, empty: async () => emptySchema(await sql()) };
}
