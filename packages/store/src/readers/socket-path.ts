import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

/** A unix socket's path has at most 107 bytes on Linux and 103 on macOS; a longer one is cut silently. */
const maxBytes = 100;
const socketName = "readers.sock";
/** Where the socket is, when the data directory's own path is too long to hold it. */
const pointerName = "readers.socket-path";

/** Where to listen: in the data directory, or, when that is too deep, in a directory of our own that it points to. */
export function listeningPath(directory: string): string {
  rmSync(join(directory, socketName), { force: true });
  rmSync(join(directory, pointerName), { force: true });
  const inside = fitting(join(directory, socketName));
  if (inside !== undefined) return inside;
  const outside = join(mkdtempSync(join(tmpdir(), "fetch-image-")), socketName);
  writeFileSync(join(directory, pointerName), outside, { mode: 0o600 });
  return outside;
}

/** Where the directory's holder listens, whether or not it still does. */
export function connectingPath(directory: string): string {
  return pointed(directory) ?? fitting(join(directory, socketName)) ?? join(directory, socketName);
}

export function removeSocket(directory: string): void {
  const outside = pointed(directory);
  if (outside !== undefined) rmSync(dirname(outside), { recursive: true, force: true });
  rmSync(join(directory, pointerName), { force: true });
  rmSync(join(directory, socketName), { force: true });
}

function pointed(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, pointerName), "utf8");
  } catch {
    return undefined;
  }
}

/** The absolute path or the one from here, whichever fits first. */
function fitting(path: string): string | undefined {
  return [resolve(path), relative(process.cwd(), path)].find((each) => Buffer.byteLength(each) <= maxBytes);
}
