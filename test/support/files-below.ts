import { readdirSync } from "node:fs";
import { join, relative } from "node:path";

/** Every file below a directory, by its path from there, in order; directories by their files alone. */
export function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .toSorted();
}
