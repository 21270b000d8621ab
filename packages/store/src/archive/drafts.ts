import { randomUUID } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

const suffix = ".part";

export function draftName(name: string): string {
  return `${name}.${randomUUID().slice(0, 8)}${suffix}`;
}

/** Removes what an archiver that was killed was writing. Only its one writer may. */
export async function removeDrafts(directory: string): Promise<void> {
  const names = await readdir(directory);
  for (const name of names.filter((each) => each.endsWith(suffix))) await rm(join(directory, name), { force: true });
}
