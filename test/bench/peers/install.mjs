// Installs what this folder's package names, from its own lock file and without running any package's scripts, where
// that has not been done. It is no part of the workspace: nothing but the benchmark needs it.
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../../../scripts/lib/process.mjs";

const folder = dirname(fileURLToPath(import.meta.url));
const lock = join(folder, "package-lock.json");
const installedLock = join(folder, "node_modules", ".installed-lock.json");

export async function installPeers() {
  if (existsSync(installedLock) && readFileSync(installedLock, "utf8") === readFileSync(lock, "utf8")) return;
  process.stderr.write("installing the other engines …\n");
  const { code, output } = await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
  if (code !== 0) throw new Error(`the other engines could not be installed:\n${output}`);
  copyFileSync(lock, installedLock);
}
