import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EventLog } from "@fetch-image/core";
import type { RunRecord } from "./run.ts";

/** Writes what is there to be looked at of runs that failed, and says where: the stores end with the proof. */
export async function leaveRecord(
  eventLog: EventLog,
  records: readonly RunRecord[],
  found: { readonly seed: number; readonly problem: string },
): Promise<string> {
  const { facts } = await eventLog.readAll({ limit: 1_000_000 });
  const file = join(tmpdir(), `fetch-image-crash-${found.seed}.json`);
  const content = { ...found, facts, runs: records.filter(({ seed }) => seed === found.seed || found.seed === -1) };
  const plain = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value);
  writeFileSync(file, JSON.stringify(content, plain, 1));
  return file;
}
