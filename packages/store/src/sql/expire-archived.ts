import { buildStreamPrefix } from "@fetch-image/core/fetching";
import { toText } from "../facts/text.ts";
import { again } from "./again.ts";
import { int8Array, textArray } from "./arrays.ts";
import { storeError } from "./errors.ts";
import { migrateOnce } from "./migrate.ts";
import { readModelCheckpoint } from "./read-model.ts";
import { schemaName } from "./schema-name.ts";
import type { Sql } from "./sql.ts";

export interface ExpireArchivedOptions {
  readonly sql: Sql;
  /** Default: `fetch_image`. */
  readonly schema?: string;
  readonly builds: readonly {
    readonly buildId: string;
    /** Of the last fact that is kept elsewhere. */
    readonly lastRevision: bigint;
  }[];
}

/**
 * Removes the facts of builds that are kept elsewhere up to their last one: of none that has gone on since, and of none
 * that the read model in the same database has not seen to its end. What the read model knows of them stays. One
 * transaction, so some hundred builds at a time; `reclaimRoom` after the last.
 */
export async function expireArchived(
  options: ExpireArchivedOptions,
): Promise<{ readonly builds: number; readonly facts: number }> {
  const { sql, builds } = options;
  const { name, identifier } = schemaName(options.schema);
  const text = `select * from ${identifier}.expire_archived($1, $2, $3, $4)`;
  const parameters = [
    buildStreamPrefix,
    readModelCheckpoint,
    textArray(builds.map(({ buildId }) => toText(buildId))),
    int8Array(builds.map(({ lastRevision }) => Number(lastRevision))),
  ];
  try {
    await migrateOnce(sql, name);
    const { rows } = await again(() =>
      sql.transaction((tx) => tx.query<{ readonly builds: string; readonly facts: string }>(text, parameters)),
    );
    return { builds: Number(rows[0]?.builds), facts: Number(rows[0]?.facts) };
  } catch (error) {
    throw storeError(error, sql.name, "expire archived builds");
  }
}
