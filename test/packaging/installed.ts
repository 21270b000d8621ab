import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { prepare } from "../../scripts/lib/prepare.mjs";

export const root: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** An empty project into which the packed packages were installed, as a user would. */
export interface Project extends Disposable {
  readonly folder: string;
  /** Each tarball with the files in it. */
  readonly tarballs: ReadonlyMap<string, readonly string[]>;
  /** Everything that can be imported: `@fetch-image/core`, `@fetch-image/store/postgres`. */
  readonly entries: readonly string[];
  write(name: string, text: string): string;
  run(command: string, ...args: string[]): Ran;
}

/** Packs and installs all packages, built first where they are not up to date. Takes some seconds and, with a cold cache, the network. */
export async function installPacked(): Promise<Project> {
  const folder = mkdtempSync(join(tmpdir(), "fetch-image-consumer-"));
  const packs = join(folder, "packs");
  mkdirSync(packs);
  await prepare();
  const tarballs = must(root, process.execPath, "scripts/pack.mjs", packs).trim().split("\n");
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  must(folder, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", ...tarballs);
  return {
    folder,
    tarballs: new Map(tarballs.map((tarball) => [tarball, must(folder, "tar", "-tzf", tarball).trim().split("\n")])),
    entries: tarballs.flatMap((tarball) => entriesOf(must(folder, "tar", "-xOf", tarball, "package/package.json"))),
    write(name, text) {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    },
    run: (command, ...args) => run(folder, command, args),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function entriesOf(text: string): string[] {
  const manifest: { name: string; exports?: Record<string, unknown> } = JSON.parse(text);
  const { name, exports = {} } = manifest;
  return Object.keys(exports)
    .filter((entry) => !entry.endsWith(".json"))
    .map((entry) => name + entry.slice(1));
}

function must(folder: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr } = run(folder, command, args);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} exited with ${status}\n${stdout}${stderr}`);
  return stdout;
}

// The vitest process's own conditions must not reach a program that stands for a user's.
function run(cwd: string, command: string, args: readonly string[]): Ran {
  const { NODE_OPTIONS: _options, NODE_ENV: _env, VITEST: _vitest, ...env } = process.env;
  return spawnSync(command, args, { cwd, env, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
}
