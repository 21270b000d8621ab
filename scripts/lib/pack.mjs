// Packs the packages as they would be published: `node scripts/lib/pack.mjs FOLDER` prints the tarballs' paths, one a
// line. They must be built.
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { runPnpm } from "./prepare.mjs";

/**
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

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const tarball of await packAll(process.argv[2])) process.stdout.write(`${tarball}\n`);
}
