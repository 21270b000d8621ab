import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statfsSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedStore } from "@fetch-image/store/pglite";

/** A data directory with an empty embedded store in it, the caller's own to fill and remove. */
export async function embeddedDirectory(): Promise<string> {
  const directory = mkdtempSync(join(fastDirectory(), "fetch-image-embedded-"));
  await makeEmbeddedStore(directory);
  return directory;
}

/** Puts an empty embedded store into a directory that will be a command's data directory: making one costs it seconds. */
export async function makeEmbeddedStore(directory: string): Promise<void> {
  cpSync(join(await templateDirectory(), "postgres"), join(directory, "postgres"), { recursive: true });
}

/** In memory where there is room: a store is a thousand files. */
function fastDirectory(): string {
  const memory = "/dev/shm";
  if (!existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize > 1024 * 1024 * 1024 ? memory : tmpdir();
}

/**
 * An empty store is the same for every test, and takes seconds of processor time to make: it is made once per machine
 * and version of PGlite and the schema.
 */
async function templateDirectory(): Promise<string> {
  const sql = new URL("../../packages/store/sql/", import.meta.url);
  const made = createHash("sha256").update(
    readFileSync(createRequire(import.meta.url).resolve("@electric-sql/pglite")),
  );
  for (const file of readdirSync(sql).sort()) made.update(readFileSync(new URL(file, sql)));
  for (const file of ["open-database.ts", "pglite-sql.ts"]) {
    made.update(readFileSync(new URL(`../../packages/store/src/pglite/${file}`, import.meta.url)));
  }
  const template = join(tmpdir(), `fetch-image-template-${made.digest("hex").slice(0, 16)}`);
  if (existsSync(template)) return template;
  const beside = mkdtempSync(join(tmpdir(), "fetch-image-template-new-"));
  await (await openEmbeddedStore({ directory: beside })).close();
  try {
    renameSync(beside, template);
  } catch (error) {
    // Another test was faster.
    rmSync(beside, { recursive: true, force: true });
    if (!existsSync(template)) throw error;
  }
  return template;
}
