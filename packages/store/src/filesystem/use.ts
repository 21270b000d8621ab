import { stat, utimes } from "node:fs/promises";

// Pruning counts in hours and days: a use that is noted to some minutes is noted well enough, and hardly ever written.
const noteEveryMs = 10 * 60_000;

/**
 * Whether there is something at the path, and if so notes that it is used now: by its modification time, since access
 * times are off on many disks. Where it may not be noted, the path is there all the same.
 */
export async function use(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    const now = new Date();
    if (now.getTime() - mtimeMs < noteEveryMs) return true;
    await utimes(path, now, now).catch(refuseAbsence);
    return true;
  } catch {
    return false;
  }
}

function refuseAbsence(error: unknown): void {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") throw error;
}
