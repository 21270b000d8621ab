import { expect, test } from "vitest";
import { describe, standsBy } from "./options.ts";

test.each([
  ["postgres://me:hunter2@db.example:5432/ci?sslmode=require", "PostgreSQL at db.example:5432/ci"],
  ["postgres://me:hunter2@db.example/ci", "PostgreSQL at db.example/ci"],
  ["postgres://me:hunter2@%2Frun%2Fpostgresql/ci", "PostgreSQL at /run/postgresql/ci"],
  ["postgres://me:hunter2@[bad/ci", "PostgreSQL"],
  ["host=db.example password=hunter2", "PostgreSQL"],
])("%s is told as %s, without user and password", (connectionString, told) => {
  expect(describe({ connectionString })).toBe(told);
});

test("a pool without a URL is told by its fields", () => {
  expect(describe({ host: "db.example", port: 5432, database: "ci" })).toBe("PostgreSQL at db.example:5432/ci");
  expect(describe({})).toBe("PostgreSQL");
});

test.each([
  ["postgres://db.example/ci", false],
  ["postgres://me:pass%2Cword@db.example:5432/ci?sslmode=require", false],
  ["postgres://db.example/ci?target_session_attrs=primary", false],
  ["postgres://db.example/ci?target_session_attrs=read-write", false],
  ["postgres://db.example/ci?sslmode=require&target_session_attrs=any", true],
  ["postgres:///ci?host=/run/postgresql&target_session_attrs=any", true],
])("%s may lead to a standby: %s", (connectionString, may) => {
  expect(standsBy(connectionString)).toBe(may);
});

test.each([
  ["postgres://me:hunter2@a.example,b.example/ci", /several hosts/],
  ["postgres://me:hunter2@a.example:5432,b.example:5433/ci", /several hosts/],
  ["postgres://me:hunter2@/ci?host=a.example,b.example", /several hosts/],
  ["postgres://me:hunter2@a.example/ci?target_session_attrs=prefer-standby", /target_session_attrs/],
])("%s is refused, without its password", (connectionString, message) => {
  expect(() => standsBy(connectionString)).toThrow(message);
  expect(() => standsBy(connectionString)).not.toThrow(/hunter2/);
});
