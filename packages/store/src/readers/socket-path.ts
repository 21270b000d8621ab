import { closeSync, openSync } from "node:fs";
import { isAbsolute, join } from "node:path";

/** sockaddr_un holds 108 bytes on Linux and 104 elsewhere, the closing 0 among them. */
const longestPath = 100;

/** Calls `work` with a path to the socket that fits an address, however long the directory's own path is. `socket` is a
 *  name in the directory, or an absolute path. */
export async function withSocketPath<T>(
  directory: string,
  socket: string,
  work: (path: string) => Promise<T>,
): Promise<T> {
  const path = isAbsolute(socket) ? socket : join(directory, socket);
  if (Buffer.byteLength(path) <= longestPath || process.platform !== "linux" || isAbsolute(socket)) return work(path);
  // Linux has another name for an open directory.
  const open = openSync(directory, "r");
  try {
    return await work(`/proc/self/fd/${open}/${socket}`);
  } finally {
    closeSync(open);
  }
}
