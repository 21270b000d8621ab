import { chmod, lstat, mkdir, mkdtemp, readdir, realpath, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { FetchImageError } from "@fetch-image/core/registry-image";

/**
 * Has a directory filled beside its destination and renamed into place: it is there when all is done, or not at all. The
 * destination may be absent, or empty. Rejects with `FI_DESTINATION_UNUSABLE`, or as `fill` does.
 */
export async function fillAside<T>(destination: string, fill: (directory: string) => Promise<T>): Promise<T> {
  const place = await unusable(destination, () => emptyPlace(resolve(destination)));
  const aside = await unusable(destination, () => mkdtemp(`${place}.part-`));
  let filled = false;
  try {
    const result = await fill(aside);
    await unusable(destination, () => rename(aside, place));
    filled = true;
    return result;
  } finally {
    if (!filled) await removeAll(aside);
  }
}

/** Where it really is. */
async function emptyPlace(destination: string): Promise<string> {
  await mkdir(dirname(destination), { recursive: true });
  const names = await readdir(destination).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  });
  if (names === undefined) return destination;
  if (names.length > 0) throw Object.assign(new Error(`it has ${names.length} entries`), { code: "ENOTEMPTY" });
  return realpath(destination);
}

async function unusable<T>(destination: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    const what = code === "ENOTEMPTY" || code === "EEXIST" ? "is not empty" : `cannot be made or written to (${code})`;
    throw new FetchImageError("FI_DESTINATION_UNUSABLE", {
      message: `${destination} ${what}`,
      details: { directory: destination, code },
      cause: error,
    });
  }
}

/** Also where an image's own modes lock us out. Follows no symbolic link. */
async function removeAll(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true });
  } catch {
    await unlock(Buffer.from(directory));
    await rm(directory, { recursive: true, force: true });
  }
}

async function unlock(directory: Buffer): Promise<void> {
  await chmod(directory, 0o700);
  for (const name of await readdir(directory, { encoding: "buffer" })) {
    const path = Buffer.concat([directory, Buffer.from("/"), name]);
    if ((await lstat(path)).isDirectory()) await unlock(path);
  }
}
