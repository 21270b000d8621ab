import { schemaName } from "./schema-name.ts";
import type { Sql } from "./sql.ts";

/**
 * Gives the room of facts that were removed to new ones. The embedded store does nothing of the kind by itself; a server
 * would, and may refuse: that is no failure.
 */
export async function reclaimRoom(options: { readonly sql: Sql; readonly schema?: string }): Promise<void> {
  const { identifier } = schemaName(options.schema);
  await options.sql.script(`vacuum ${identifier}.events`).catch(() => undefined);
}
