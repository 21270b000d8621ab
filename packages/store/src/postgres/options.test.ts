import { expect, test } from "vitest";
import { describe } from "./options.ts";

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
