import { createReadStream } from "node:fs";
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { artifactInvalid } from "./artifact-invalid.ts";

/** The files of what a step has built, which may be anything: nothing outside is ever read by way of a link. */
export interface ArtifactFiles {
  /** Where it is on the disk; undefined where there is none. Throws `FI_ARTIFACT_INVALID` for what leads outside. */
  find(name: string): Promise<FoundFile | undefined>;
}

export interface FoundFile {
  /** Below the artifact's directory, for messages. */
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly isDirectory: boolean;
}

export async function artifactFiles(directory: string): Promise<ArtifactFiles> {
  const root = await realpath(directory).catch((error: unknown) => {
    throw artifactInvalid(directory, "is not there", error);
  });
  return {
    async find(name) {
      const path = await realpath(join(root, name)).catch(() => undefined);
      if (path === undefined) return undefined;
      if (path !== root && !path.startsWith(`${root}${sep}`)) throw artifactInvalid(name, "is a link to outside of it");
      const found = await stat(path);
      if (!found.isFile() && !found.isDirectory()) throw artifactInvalid(name, "is neither a file nor a directory");
      return { name, path, size: found.size, isDirectory: found.isDirectory() };
    },
  };
}

/** All of a small file. */
export async function readWhole({ name, path, size }: FoundFile, maxBytes: number): Promise<Buffer> {
  if (size > maxBytes) throw artifactInvalid(name, `has ${size} bytes, more than the ${maxBytes} that one may have`);
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    return await file.readFile();
  } catch (error) {
    throw artifactInvalid(name, "cannot be read", error);
  } finally {
    await file?.close();
  }
}

/** The bytes of a piece of a file. */
export async function* readPiece(
  { name, path }: Pick<FoundFile, "name" | "path">,
  { start, end }: { readonly start: number; readonly end: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  if (start >= end) return;
  try {
    yield* createReadStream(path, { start, end: end - 1, highWaterMark: 256 * 1024 }) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw artifactInvalid(name, "cannot be read", error);
  }
}
