import { expect, test } from "vitest";
import { appendError, isWorthRepeating, storeError } from "./errors.ts";
import { SqlError, type SqlFailureKind } from "./sql.ts";

const cases: readonly (readonly [kind: SqlFailureKind, sqlState: string, name: string])[] = [
  ["answered", "40001", "serialization_failure"],
  ["answered", "40P01", "deadlock_detected"],
  ["answered", "25006", "read_only_sql_transaction"],
  ["answered", "55P03", "lock_not_available"],
  ["answered", "57014", "query_canceled"],
  ["answered", "53200", "out_of_memory"],
  ["refused", "57P03", "cannot_connect_now"],
  ["refused", "53300", "too_many_connections"],
  ["refused", "08006", "connection_failure"],
];

test.each(cases)("%s, %s (%s): nothing was stored, and the same may succeed later", (kind, sqlState) => {
  const error = new SqlError(kind, "it failed", sqlState);
  for (const told of [storeError(error, "PostgreSQL", "read"), appendError(error, "PostgreSQL", "stream a")]) {
    expect(told).toMatchObject({ code: "FI_STORE_UNAVAILABLE", retryable: true });
  }
});

test.each(["57P01", "57P02", "08006", "08003", undefined])(
  "an append whose connection ended (%s) may have been stored; a read is asked again",
  (sqlState) => {
    const error = new SqlError("lost", "terminating connection due to administrator command", sqlState);
    expect(appendError(error, "PostgreSQL", "stream a")).toMatchObject({
      code: "FI_APPEND_OUTCOME_UNKNOWN",
      retryable: true,
    });
    expect(storeError(error, "PostgreSQL", "read")).toMatchObject({ code: "FI_STORE_UNAVAILABLE", retryable: true });
  },
);

test("only what the server rolled back for another's sake is done again at once", () => {
  expect(isWorthRepeating(new SqlError("answered", "", "40001"))).toBe(true);
  expect(isWorthRepeating(new SqlError("answered", "", "40P01"))).toBe(true);
  expect(isWorthRepeating(new SqlError("lost", "", "40001"))).toBe(false);
  expect(isWorthRepeating(new SqlError("answered", "", "40002"))).toBe(false);
});
