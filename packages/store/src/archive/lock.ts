import { randomUUID } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FetchImageError } from "@fetch-image/core/fetching";
import { livenessOf, type ProcessIdentity, thisProcess } from "../process/identity.ts";

const lockName = "lock";

/** Keeps a second process from writing the same archive, until the function given is called. Rejects with `FI_STORE_LOCKED`, naming the first one's pid. */
export async function lockArchive(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, lockName);
  const own = join(directory, `${lockName}-${randomUUID().slice(0, 8)}`);
  await writeFile(own, JSON.stringify(thisProcess()), { flag: "wx", mode: 0o600 });
  try {
    for (let attempt = 1; ; attempt++) {
      // A link is made whole or not at all, and never over another.
      const taken = await link(own, path).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code === "EEXIST") return false;
          throw error;
        },
      );
      if (taken) return () => rm(path, { force: true });
      const holder = await readHolder(path);
      if (holder !== undefined && (attempt > 3 || livenessOf(holder) !== "dead")) throw locked(directory, holder);
      if (holder !== undefined) await rm(path, { force: true });
    }
  } finally {
    await rm(own, { force: true });
  }
}

/** Undefined where it has gone meanwhile. */
async function readHolder(path: string): Promise<ProcessIdentity | undefined> {
  try {
    const holder: ProcessIdentity = JSON.parse(await readFile(path, "utf8"));
    return holder;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function locked(directory: string, { pid, host }: ProcessIdentity): FetchImageError {
  return new FetchImageError("FI_STORE_LOCKED", {
    message: `the archive ${directory} is being written by process ${pid} on ${host}`,
    hint: `Wait until it has ended; where it surely has, remove ${join(directory, lockName)}.`,
    details: { directory, pid },
  });
}
