import { FetchImageError } from "@fetch-image/core/fetching";

const defaultSchema = "fetch_image";

/** A schema's name as SQL text needs it. */
export interface SchemaName {
  readonly name: string;
  /** Quoted. */
  readonly identifier: string;
  /** Of the NOTIFY that wakes readers. */
  readonly channel: string;
}

/** Rejects with `FI_SETTING_INVALID` what would have to be quoted, so that the name can stand anywhere in a statement. */
export function schemaName(name: string = defaultSchema): SchemaName {
  if (!/^[a-z_][a-z0-9_]{0,39}$/.test(name) || name.startsWith("pg_")) {
    throw new FetchImageError("FI_SETTING_INVALID", {
      message: `the schema name ${JSON.stringify(name.slice(0, 100))} is not lower-case letters, digits and _, at most 40`,
    });
  }
  return { name, identifier: `"${name}"`, channel: `${name}_events` };
}
