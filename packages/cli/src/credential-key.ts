import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { secret } from "./setting-kinds.ts";

/**
 * The key by which this directory's processes tell that their sources show one password, where the settings have none: so
 * that a second run asks nobody. It lies in the data directory for its owner alone, and is made when it is first needed; what
 * is copied or archived of the facts has nothing of it. Where it is lost, each password is asked by once more.
 */
export async function keyOfDirectory(data: string): Promise<string> {
  const file = join(data, "credential-key");
  const there = await keyIn(file);
  if (there !== undefined) return there;
  const made = randomBytes(32).toString("base64url");
  await mkdir(data, { recursive: true });
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  await writeFile(draft, `${made}\n`, { mode: 0o600, flag: "wx" });
  try {
    // Whole, and only where there is none: of several that make one at the same time, the first one's is everybody's.
    await link(draft, file);
  } catch (error) {
    // Some file systems have no links; there, the last one's stays.
    if (!isCoded(error, "EEXIST")) await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
  return (await keyIn(file)) ?? made;
}

async function keyIn(file: string): Promise<string | undefined> {
  try {
    return secret.parse((await readFile(file, "utf8")).trim());
  } catch (error) {
    if (isCoded(error, "ENOENT")) return undefined;
    throw error;
  }
}

function isCoded(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
