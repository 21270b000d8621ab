import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { readable } from "./byte-text.ts";

/** Makes fifos, open to their owner alone, by mkfifo(1): Node cannot. Gives back those that it could not make. */
export async function makeFifos(directory: string, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const failed = new Map<string, string>();
  for (let at = 0; at < paths.length; at += atOnce) {
    const some = paths.slice(at, at + atOnce);
    for (const path of some) {
      // Arguments are text to Node.
      if (Buffer.from(readable(path)).toString("latin1") !== path) failed.set(path, "its name is no UTF-8");
    }
    const names = some.filter((path) => !failed.has(path)).map((path) => `./${readable(path)}`);
    if (names.length === 0) continue;
    try {
      await promisify(execFile)("mkfifo", ["-m", "600", "--", ...names], { cwd: directory });
    } catch (error) {
      const { code } = error as { code?: unknown };
      for (const path of some) failed.set(path, code === "ENOENT" ? "mkfifo is not there" : "mkfifo failed");
    }
  }
  return failed;
}

/** Paths have at most 4 KiB each, and Linux takes 2 MiB of arguments. */
const atOnce = 256;
