import { expect, test } from "vitest";
import { newerPart } from "./newer.ts";

const metadata = { schema: 1, machine: "1", $correlationId: "1", node: "n", time: "2026-11-22T04:40:00.000Z" };
const { machine: _machine, ...ofScope } = metadata;

test("nothing is newer in what this version writes, nor in what it wrote before", () => {
  expect(newerPart({ stream: "build-1", type: "ImageChecked", metadata })).toBeUndefined();
  expect(
    newerPart({ stream: "build-1", type: "ImageChecked", metadata: { ...metadata, machine: "0" } }),
  ).toBeUndefined();
  expect(newerPart({ stream: "imageScope-1", type: "VersionObserved", metadata: ofScope })).toBeUndefined();
});

test.each([
  ["build-1", "ImageChecked", { ...metadata, schema: 2 }, "schema version 2, and not 1"],
  ["build-1", "ImageScanned", metadata, "a type that this version does not know"],
  ["build-1", "toString", metadata, "a type that this version does not know"],
  ["build-1", "VersionObserved", metadata, "a type that this version does not know"],
  ["imageScope-1", "ImageChecked", ofScope, "a type that this version does not know"],
  ["build-1", "ImageChecked", { ...metadata, machine: "10" }, "machine version 10, and not 1"],
  ["build-1", "ImageChecked", { ...metadata, machine: "2-rc.1" }, "machine version 2-rc.1, and not 1"],
])("%s: %s with %o has %s", (stream, type, its, words) => {
  expect(newerPart({ stream, type, metadata: its })).toContain(words);
});
