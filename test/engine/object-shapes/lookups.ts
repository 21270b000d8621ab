import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/**
 * Runs a program that does something `times` over, and gives the fields that it looked up anew each time, as `field at line`:
 * V8 keeps where an object's fields are by its hidden class, and finds nothing there where each object has another.
 */
export async function lookedUpEachTime(program: string, times: number): Promise<readonly string[]> {
  const directory = mkdtempSync(join(tmpdir(), "fetch-image-shapes-"));
  const log = join(directory, "v8.log");
  try {
    const flags = ["--log-ic", `--logfile=${log}`, "--no-logfile-per-isolate"];
    await promisify(execFile)(process.execPath, [...flags, program, String(times)]);
    return missesIn(readFileSync(log, "utf8"), readFileSync(program, "utf8").split("\n"), times);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

// LoadIC,pc,time,line,column,state before,state after,hidden class,field,… for each lookup that found nothing.
const miss = /^(?:Keyed)?(?:Load|Store)IC,[^,]*,[^,]*,(\d+),(\d+),[^,]*,[^,]*,[^,]*,(\w+),/gm;

function missesIn(log: string, lines: readonly string[], times: number): readonly string[] {
  const counts = new Map<string, number>();
  for (const [, line, column, field] of log.matchAll(miss)) {
    const at = `${line}:${column} ${field}`;
    counts.set(at, (counts.get(at) ?? 0) + 1);
  }
  return [...counts].flatMap(([at, count]) => {
    const [, line = "", field = ""] = /^(\d+):\d+ (\w+)$/.exec(at) ?? [];
    const text = lines[Number(line) - 1] ?? "";
    // While it warms up, everything is looked up. Node's own code has lines and columns as well.
    return count < times / 2 || !text.includes(field) ? [] : [`${field} at ${text.trim()}`];
  });
}
