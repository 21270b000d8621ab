import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import type { CancelSignal } from "@fetch-image/core/registry-image";
import { tarEnd, tarPadding } from "../get/tar-header.ts";
import { reasonOf } from "../transport/deadline.ts";
import { readable } from "../unpack/byte-text.ts";
import { artifactInvalid } from "./artifact-invalid.ts";
import { entryHeaders, type LayerEntry } from "./layer-entry.ts";

/**
 * A root file system as a layer (image-spec, layer.md): the same bytes for the same tree. Names are in the order of their
 * bytes, times are 0, owners and modes as they are on the disk, files with several names are linked. Devices and sockets,
 * which no step's container could make use of, are left out, and so are extended attributes.
 */
export async function* rootfsLayer(root: string, signal: CancelSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const linked = new Map<string, string>();
  for await (const { name, path, stats } of walk(Buffer.from(root), signal)) {
    const { mode, uid, gid } = stats;
    const entry = { name, mode: Number(mode & 0o7777n), uid: Number(uid), gid: Number(gid) };
    if (stats.isDirectory()) yield* entryHeaders({ ...entry, name: `${name}/`, type: "5", size: 0 });
    else if (stats.isSymbolicLink()) {
      const linkname = (await readlink(path, { encoding: "buffer" })).toString("latin1");
      yield* entryHeaders({ ...entry, mode: 0o777, type: "2", linkname, size: 0 });
    } else if (stats.isFIFO()) yield* entryHeaders({ ...entry, type: "6", size: 0 });
    else if (stats.isFile()) {
      const inode = `${stats.dev}:${stats.ino}`;
      const first = linked.get(inode);
      if (first !== undefined) {
        yield* entryHeaders({ ...entry, type: "1", linkname: first, size: 0 });
        continue;
      }
      if (stats.nlink > 1n) linked.set(inode, name);
      yield* fileEntry({ ...entry, type: "0", size: Number(stats.size) }, path);
    }
  }
  yield tarEnd;
}

async function* fileEntry(entry: LayerEntry, path: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  yield* entryHeaders(entry);
  let left = entry.size;
  // Not past what its header says: a file may grow meanwhile, and the sum of it all then tells.
  const content = entry.size === 0 ? [] : createReadStream(path, { end: entry.size - 1, highWaterMark: 256 * 1024 });
  try {
    for await (const chunk of content as AsyncIterable<Uint8Array>) {
      left -= chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw artifactInvalid(`rootfs/${entry.name}`, "cannot be read", error);
  }
  if (left !== 0) throw artifactInvalid(`rootfs/${entry.name}`, "became shorter while it was read");
  yield tarPadding(entry.size);
}

interface Found {
  /** Below the root, in bytes: see byte-text.ts. */
  readonly name: string;
  readonly path: Buffer;
  readonly stats: Awaited<ReturnType<typeof lstatBig>>;
}

async function* walk(directory: Buffer, signal: CancelSignal, prefix = ""): AsyncGenerator<Found, void, undefined> {
  if (signal.aborted) throw reasonOf(signal);
  const names = await readdir(directory, { encoding: "buffer" }).catch((error: unknown) => {
    throw artifactInvalid(`rootfs/${prefix}`, "cannot be read", error);
  });
  for (const bytes of names.toSorted((a, b) => a.compare(b))) {
    const name = `${prefix}${bytes.toString("latin1")}`;
    if (bytes.toString("latin1", 0, 4) === ".wh.") {
      throw artifactInvalid(
        readable(`rootfs/${name}`),
        "has a name that deletes another in a layer (image-spec, whiteouts)",
      );
    }
    const path = Buffer.concat([directory, Buffer.from("/"), bytes]);
    const stats = await lstatBig(path).catch((error: unknown) => {
      throw artifactInvalid(readable(`rootfs/${name}`), "cannot be read", error);
    });
    yield { name, path, stats };
    if (stats.isDirectory()) yield* walk(path, signal, `${name}/`);
  }
}

// Inodes of large file systems are beyond what a number holds.
const lstatBig = (path: Buffer) => lstat(path, { bigint: true });
