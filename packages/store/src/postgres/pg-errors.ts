import { SqlError } from "../sql/sql.ts";

/** `pg`'s error as ours; `otherwise` is what it means where the server did not say that the statement failed. */
export function asSqlError(error: unknown, otherwise: "refused" | "lost"): SqlError {
  if (error instanceof SqlError) return error;
  const { code, severity } = fieldsOf(error);
  const message = messageOf(error);
  if (typeof severity !== "string" || typeof code !== "string") {
    return new SqlError(message.endsWith("not queryable") ? "refused" : otherwise, message);
  }
  // FATAL and PANIC end the connection, and may come after the commit. So may, for all we know, a severity in another
  // language than English.
  return new SqlError(severity === "ERROR" ? "answered" : otherwise, message, code);
}

/** read_only_sql_transaction: after a failover, the address leads to another server; the connections that there are do not. */
export const readOnly = "25006";

/** Whether the connection that a statement failed on is of no use to the next one. */
export function isBroken(error: unknown): boolean {
  return error instanceof SqlError && (error.kind !== "answered" || error.sqlState === readOnly);
}

function messageOf(error: unknown): string {
  const { message, errors, code } = fieldsOf(error);
  if (typeof message === "string" && message !== "") return message;
  // Where a host has several addresses, Node tells of each attempt and says nothing itself.
  if (Array.isArray(errors) && errors.length > 0) return errors.map(messageOf).join("; ");
  return typeof code === "string" ? code : String(error);
}

function fieldsOf(error: unknown): { readonly [field in "code" | "severity" | "message" | "errors"]?: unknown } {
  return typeof error === "object" && error !== null ? error : {};
}
