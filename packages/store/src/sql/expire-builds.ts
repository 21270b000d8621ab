import { buildStreamPrefix, type CancelSignal, FetchImageError } from "@fetch-image/core/fetching";
import { again } from "./again.ts";
import { storeError } from "./errors.ts";
import { migrateOnce } from "./migrate.ts";
import { readModelCheckpoint } from "./read-model.ts";
import { reclaimRoom } from "./reclaim-room.ts";
import { schemaName, type SchemaName } from "./schema-name.ts";
import type { Sql, SqlRow } from "./sql.ts";

export interface ExpireBuildsOptions {
  readonly sql: Sql;
  /** Default: `fetch_image`. */
  readonly schema?: string;
  /** In milliseconds since 1970: builds expire that were opened, and got their last fact, before. */
  readonly before: number;
  /** Ends it between two batches; the next call goes on. */
  readonly signal?: CancelSignal;
}

export interface ExpiredBuilds {
  /** Builds whose facts are gone, and how many facts that were. */
  readonly builds: number;
  readonly facts: number;
  /** Builds opened before that stay: a fetch has not ended, a fact came later, or the read model has not seen all. */
  readonly left: number;
}

/** Short enough to hold up no append for long. */
const batch = 200;

/**
 * Removes the facts of builds that are long over, and nothing else: scopes' histories stay, and so does all that the read
 * model knows of these builds, over a rebuild too. Their logs can be rebuilt no more. The read model must be in the same
 * database and projected from these facts: rejects with `FI_POSITION_INVALID` otherwise.
 */
export async function expireBuilds(options: ExpireBuildsOptions): Promise<ExpiredBuilds> {
  const { sql, before, signal } = options;
  const schema = schemaName(options.schema);
  try {
    await migrateOnce(sql, schema.name);
    await assertProjected(sql, schema);
    const total = { builds: 0, facts: 0, left: 0 };
    let last: { readonly opened: string; readonly build: string } | undefined;
    for (;;) {
      if (signal?.aborted === true) break;
      const text = `select * from ${schema.identifier}.expire_builds($1, $2, $3, $4, $5, $6)`;
      const time = new Date(before).toISOString();
      const parameters = [
        buildStreamPrefix,
        readModelCheckpoint,
        time,
        last?.opened ?? null,
        last?.build ?? null,
        batch,
      ];
      // One statement, and so one transaction, at the isolation level that it needs.
      const { rows } = await again(() => sql.transaction((tx) => tx.query<BatchRow>(text, parameters)));
      const [row] = rows;
      if (row === undefined || Number(row.looked) === 0) break;
      total.builds += Number(row.builds);
      total.facts += Number(row.facts);
      total.left += Number(row.looked) - Number(row.builds);
      last = { opened: row.last_opened, build: row.last_build };
    }
    if (total.facts > 0) await reclaimRoom({ sql, schema: schema.name });
    return total;
  } catch (error) {
    throw storeError(error, sql.name, "expire builds");
  }
}

interface BatchRow extends SqlRow {
  readonly looked: string;
  readonly builds: string;
  readonly facts: string;
  readonly last_opened: string;
  readonly last_build: string;
}

async function assertProjected(sql: Sql, schema: SchemaName): Promise<void> {
  const { rows } = await sql.query<{ readonly position: string }>(
    `select c.position from ${schema.identifier}.checkpoints c where c.name = $1`,
    [readModelCheckpoint],
  );
  const position = rows[0]?.position;
  if (position !== undefined && /^[0-9]{1,18}$/.test(position)) return;
  throw new FetchImageError("FI_POSITION_INVALID", {
    message: `${sql.name}: the read model in the schema ${schema.name} is not projected from the facts there`,
    hint: "Project the facts first (fetch-image rebuild): which image a build ran is to be known when its facts are gone.",
  });
}
