// From a fresh clone to built packages, and from built packages to nothing at all. Needs only Node and npm.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { inSeconds, lastLines, root, run, tool } from "./process.mjs";

const stamps = join(root, "node_modules", ".cache", "fetch-image");

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** The package manager, in the version that package.json pins. */
const pnpm = manifest.packageManager;

/** Runs pnpm through npx, so that nobody needs to have it. */
export const runPnpm = (args, options) => run("npx", ["--yes", pnpm, ...args], options);

/** The folders of all packages, relative to the root: `packages/core` and so on. */
export const packageFolders = readdirSync(join(root, "packages"))
  .map((name) => `packages/${name}`)
  .filter((folder) => existsSync(join(root, folder, "tsconfig.json")))
  .toSorted();

/**
 * Installs and builds what is not up to date, telling of each on standard error with the time it took.
 * @returns {Promise<{install: number, build: number}>} seconds
 * @throws {Error} with the failing program's own words
 */
export async function prepare() {
  return {
    install: await install(),
    build: (await phase("build", built, buildPackages)) + (await phase("page", pageBuilt, bundlePage)),
  };
}

/** The first half of `prepare`. */
export function install() {
  refuseOldNode();
  return phase("install", installed, () =>
    runPnpm(["install", "--frozen-lockfile", "--prefer-offline", "--reporter=append-only"], { env: { CI: "true" } }),
  );
}

/** `tsc -b` over all packages, after throwing out what earlier builds left of sources that are gone. */
export function buildPackages() {
  for (const folder of packageFolders) removeOrphans(folder);
  return run(tool("tsc"), ["-b", ...packageFolders]);
}

/** The inspector's page, where it is not up to date; tells of it as `prepare` does. */
export function buildPage() {
  return phase("page", pageBuilt, bundlePage);
}

// Packages' sources are bundled, not what `tsc` made of them: the page needs no other build. It takes its place when it is
// whole: another process may be serving the one before, or building too.
async function bundlePage() {
  const made = join(stamps, `page-${process.pid}`);
  const vite = join(root, pageFolder, "node_modules/vite/bin/vite.js");
  const result = await run(process.execPath, [vite, "build", `${pageFolder}/web`, "--outDir", made], {
    env: { NODE_ENV: "production" },
  });
  if (result.code === 0) {
    const place = join(root, pageFolder, "dist-web");
    rmSync(place, { recursive: true, force: true });
    renameSync(made, place);
  }
  rmSync(made, { recursive: true, force: true });
  return result;
}

function refuseOldNode() {
  const wanted = manifest.engines.node.replace(">=", "");
  if (process.versions.node.localeCompare(wanted, "en", { numeric: true }) >= 0) return;
  throw new Error(`Node ${process.versions.node} is too old: fetch-image needs ${wanted} or newer.`);
}

/** Runs `work` unless the fingerprint of its inputs is the one kept from the last time that it succeeded. */
async function phase(name, upToDate, work) {
  const stamp = join(stamps, name);
  if (upToDate.results() && existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint(upToDate.inputs()))
    return 0;
  process.stderr.write(`${name} … `);
  const result = await work();
  process.stderr.write(`${result.code === 0 ? "ok" : "failed"}  ${inSeconds(result.seconds)}\n`);
  if (result.code !== 0) throw new Error(`${name} failed:\n${lastLines(result.output, 40)}`);
  mkdirSync(stamps, { recursive: true });
  writeFileSync(stamp, fingerprint(upToDate.inputs()));
  return result.seconds;
}

const installed = {
  inputs: () => ["pnpm-lock.yaml", "pnpm-workspace.yaml", ".npmrc", "package.json", ...manifests()],
  results: () => [".", ...packageFolders, "test"].every((folder) => existsSync(join(root, folder, "node_modules"))),
};

const built = {
  inputs: () => ["pnpm-lock.yaml", "tsconfig.base.json", ...packageFolders.flatMap(buildInputs)],
  results: () => packageFolders.every((folder) => existsSync(join(root, folder, "dist", ".tsbuildinfo"))),
};

const pageFolder = "packages/inspector";

const pageBuilt = {
  inputs: () => [
    "pnpm-lock.yaml",
    "docs/machine.svg",
    ...filesBelow(`${pageFolder}/web`),
    ...filesBelow("packages/core/src").filter((file) => !file.endsWith(".test.ts")),
  ],
  results: () => existsSync(join(root, pageFolder, "dist-web", "index.html")),
};

const manifests = () => [...packageFolders, "test"].map((folder) => `${folder}/package.json`);

const buildInputs = (folder) => [
  `${folder}/package.json`,
  `${folder}/tsconfig.json`,
  ...filesBelow(`${folder}/src`).filter((file) => !file.endsWith(".test.ts")),
];

/** All files below a folder of the repository, as paths relative to its root; none where there is no such folder. */
export function filesBelow(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !file.includes("node_modules"))
    .toSorted();
}

// By content, not by time: a fresh checkout gives every file a new time. The Node version counts, since tools may
// build differently for it.
function fingerprint(files) {
  const hash = createHash("sha256").update(process.version);
  for (const file of files) hash.update(`\n${file}\n`).update(readFileSync(join(root, file)));
  return hash.digest("hex");
}

// `tsc -b` never deletes: without this a removed source would live on in dist, and in the published package.
function removeOrphans(folder) {
  for (const file of filesBelow(`${folder}/dist`)) {
    const source = file.replace("/dist/", "/src/").replace(/(\.d\.ts|\.js)(\.map)?$/, ".ts");
    if (source.endsWith(".ts") && !existsSync(join(root, source))) rmSync(join(root, file));
  }
}
