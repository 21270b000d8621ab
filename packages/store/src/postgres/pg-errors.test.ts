import { expect, test } from "vitest";
import { asSqlError } from "./pg-errors.ts";

const fromServer = (severity: string, code: string): Error =>
  Object.assign(new Error("it failed"), { severity, code, detail: "Key (a)=(hunter2)" });

test("what the server says of a statement is an answer; what ends the connection may have come too late", () => {
  expect(asSqlError(fromServer("ERROR", "23505"), "lost")).toMatchObject({ kind: "answered", sqlState: "23505" });
  for (const severity of ["FATAL", "PANIC", "PANIK"]) {
    expect(asSqlError(fromServer(severity, "53100"), "lost")).toMatchObject({ kind: "lost", sqlState: "53100" });
  }
  expect(asSqlError(fromServer("FATAL", "28P01"), "refused")).toMatchObject({ kind: "refused", sqlState: "28P01" });
});

test("a connection that breaks is lost, one that was never there refused", () => {
  const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
  expect(asSqlError(reset, "lost")).toMatchObject({ kind: "lost", sqlState: undefined });
  expect(asSqlError(new Error("Client was closed and is not queryable"), "lost").kind).toBe("refused");
});

test("a host of several addresses is told by each attempt", () => {
  const attempts = [new Error("connect ECONNREFUSED ::1:5432"), new Error("connect ECONNREFUSED 127.0.0.1:5432")];
  const error = new AggregateError(attempts);
  expect(asSqlError(error, "refused").message).toBe(
    "connect ECONNREFUSED ::1:5432; connect ECONNREFUSED 127.0.0.1:5432",
  );
});

test("nothing but the message and the SQLSTATE is kept", () => {
  const error = asSqlError(fromServer("ERROR", "23505"), "lost");
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("hunter2");
  expect(error.cause).toBeUndefined();
});
