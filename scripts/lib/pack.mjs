// Packs the packages as they would be published.
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { runPnpm } from "./prepare.mjs";

/**
 * They must be built.
 * @returns {Promise<string[]>} the tarballs' paths in `destination`
 * @throws {Error} with pnpm's own words where a package cannot be packed
 */
export async function packAll(destination) {
  const folder = resolve(destination);
  const { code, output } = await runPnpm([
    "--recursive",
    "--filter",
    "./packages/*",
    "pack",
    "--pack-destination",
    folder,
  ]);
  if (code !== 0) throw new Error(output);
  return readdirSync(folder)
    .filter((name) => name.endsWith(".tgz"))
    .map((name) => join(folder, name));
}
