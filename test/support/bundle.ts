import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** A program in one file. */
export interface Bundle extends Disposable {
  readonly file: string;
}

interface Vite {
  build(config: object): Promise<unknown>;
}

/**
 * Joins a program's modules into one file, with the packages' sources or, without `sources`, what is built of them: a
 * process starts in a fifth of the processor time, and some proofs start thousands. The code is the same, module by module.
 * In a run of `npm test`, in which nothing changes, it is made once for all that use it.
 */
export async function bundle(entry: URL, { sources }: { readonly sources: boolean }): Promise<Bundle> {
  const run = process.env["FETCH_IMAGE_TEST_MODULES"];
  if (run === undefined) {
    const directory = await joinModules(entry, sources);
    return { file: programIn(directory), [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
  }
  const name = createHash("sha256").update(`${entry.href} ${sources}`).digest("hex").slice(0, 16);
  const shared = join(run, `bundle-${name}`);
  if (!existsSync(shared)) moveTo(shared, await joinModules(entry, sources));
  return { file: programIn(shared), [Symbol.dispose]: () => undefined };
}

const programIn = (directory: string): string => join(directory, "program.mjs");

function moveTo(place: string, directory: string): void {
  try {
    renameSync(directory, place);
  } catch (error) {
    // Another process was faster.
    rmSync(directory, { recursive: true, force: true });
    if (!existsSync(place)) throw error;
  }
}

/** Gives the directory that the program is in. */
async function joinModules(entry: URL, sources: boolean): Promise<string> {
  const cache = fileURLToPath(new URL("../node_modules/.cache/", import.meta.url));
  mkdirSync(cache, { recursive: true });
  removeLeftovers(cache);
  // Below test/, so that the drivers, which stay as they are, are found.
  const directory = mkdtempSync(join(cache, "bundle-"));
  // Some programs run as another user.
  chmodSync(directory, 0o755);
  const conditions = [...(sources ? ["fetch-image:source"] : []), "node"];
  const vite = await loadVite();
  await vite.build({
    configFile: false,
    root: fileURLToPath(new URL("..", import.meta.url)),
    logLevel: "error",
    resolve: { conditions },
    ssr: { noExternal: true, resolve: { conditions } },
    plugins: [ownAddress],
    build: {
      ssr: fileURLToPath(entry),
      outDir: directory,
      target: "node20",
      minify: false,
      copyPublicDir: false,
      rollupOptions: {
        external: leftOut,
        output: { entryFileNames: "program.mjs", chunkFileNames: "[name]-[hash].mjs" },
      },
    },
  });
  return directory;
}

/** What processes made that were killed before they could remove it. */
function removeLeftovers(cache: string): void {
  const old = Date.now() - 60 * 60 * 1000;
  for (const name of readdirSync(cache).filter((each) => each.startsWith("bundle-"))) {
    const place = join(cache, name);
    const { mtimeMs } = statSync(place, { throwIfNoEntry: false }) ?? { mtimeMs: old };
    if (mtimeMs < old) rmSync(place, { recursive: true, force: true });
  }
}

/** Loaded from where they are: some read files from beside their own, and the clouds' are large and not wanted. */
const leftOut = [/^@electric-sql\//, /^@eventstore\//, /^@aws-sdk\//, /^@azure\//, /^pg-native$/];

/** A module goes on finding what stands beside its file: the SQL, say. */
const ownAddress = {
  name: "own-address",
  transform(code: string, id: string): string | undefined {
    const file = id.split("?")[0] ?? id;
    if (!code.includes("import.meta.url") || !file.startsWith("/")) return undefined;
    return code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(file).href));
  },
};

/** The one that vitest runs on. */
async function loadVite(): Promise<Vite> {
  const vitest = createRequire(import.meta.url).resolve("vitest/package.json");
  const vite: Vite = await import(pathToFileURL(createRequire(vitest).resolve("vite")).href);
  return vite;
}
