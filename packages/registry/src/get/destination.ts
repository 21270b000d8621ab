import { randomUUID } from "node:crypto";
import { lstat, mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { FetchImageError, showText } from "@fetch-image/core/registry-image";

/** A directory that gets its files all at once, when they are complete. */
export interface Destination extends AsyncDisposable {
  /** Empty; what is made here becomes the destination's. */
  readonly files: string;
  /** Not there yet; on the same disk, and gone at the end. */
  readonly scratch: string;
  /** Moves everything in place, over what is there under the same names. Takes back all of it where one fails. */
  publish(): Promise<void>;
}

/**
 * Opens the directory that a get is to fill, and makes it where it is missing. Disposing removes what was not published.
 * Throws `FI_DESTINATION_UNUSABLE`.
 */
export async function openDestination(directory: string): Promise<Destination> {
  const aside = join(directory, `.fetch-image-${randomUUID()}.part`);
  const files = join(aside, "files");
  const replaced = join(aside, "replaced");
  let made: string | undefined;
  try {
    made = await mkdir(directory, { recursive: true });
    await mkdir(files, { recursive: true });
    await mkdir(replaced);
  } catch (error) {
    throw unusable(directory, error);
  }
  let published = false;
  return {
    files,
    scratch: join(aside, "scratch"),
    async publish() {
      const undo: (() => Promise<void>)[] = [];
      try {
        for (const name of await inOrder(files)) {
          const [from, to, old] = [join(files, name), join(directory, name), join(replaced, name)];
          if (await isThere(to)) {
            await rename(to, old);
            undo.unshift(() => rename(old, to));
          }
          await rename(from, to);
          undo.unshift(() => rename(to, from));
        }
        published = true;
      } catch (error) {
        for (const step of undo) await step();
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      await rm(aside, { recursive: true, force: true });
      if (made === undefined || published) return;
      // Somebody else may have put something there meanwhile.
      await rmdir(directory).catch(() => undefined);
    },
  };
}

const last = ["repository", "tag", "digest"];

/** Whoever sees the version's files may rely on all the others. */
async function inOrder(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory);
  return names.toSorted((a, b) => last.indexOf(a) - last.indexOf(b));
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function unusable(directory: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const why = typeof error.code === "string" ? error.code : error.message;
  if (why === "ENOSPC" || why === "EDQUOT") {
    return new FetchImageError("FI_STORE_FULL", {
      message: `${showText(directory)} is on a disk that is full (${why})`,
    });
  }
  return new FetchImageError("FI_DESTINATION_UNUSABLE", {
    message: `${showText(directory)} cannot be filled (${why})`,
    details: { directory, errno: why },
    cause: error,
  });
}
