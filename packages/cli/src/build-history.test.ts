import { type RecordedBuildFact, silentLogger, type UnknownFact } from "@fetch-image/core";
import { expect, test } from "vitest";
import { replayAsFar } from "./build-history.ts";

const metadata = { schema: 1, machine: "1", $correlationId: "1", node: "n", time: "2026-11-22T04:40:00.000Z" };
const recorded = (revision: bigint) => ({ id: `i${revision}`, stream: "build-1", revision, position: "", metadata });

const opened: RecordedBuildFact = { ...recorded(0n), type: "BuildOpened", data: { buildId: "1", renderer: "1" } };
const ended: RecordedBuildFact = { ...recorded(2n), type: "ArtifactFetched", data: { fetchId: "f", artifact: "v" } };
const scanned: UnknownFact = { ...recorded(1n), type: "ImageScanned", data: {} };

test("facts of a newer version are passed over with a warning, and so is what only they explain", () => {
  const said: unknown[] = [];
  const logger = { ...silentLogger, warn: (_message: string, fields: unknown) => void said.push(fields) };
  expect([...replayAsFar([opened, scanned, ended], logger).keys()]).toEqual([0n]);
  expect(said).toEqual([{ stream: "build-1", revision: "1", type: "ImageScanned" }]);
});

test("a contradiction that nothing newer explains is one", () => {
  expect(() => replayAsFar([opened, ended], silentLogger)).toThrow(
    expect.objectContaining({ code: "FI_HISTORY_CONTRADICTORY" }),
  );
});
