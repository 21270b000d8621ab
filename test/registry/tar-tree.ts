// A directory as data, so that two can be compared: by lstat, readlink, a hash of contents, and getfattr.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { onPath } from "./tar-peers.ts";

export interface TreeEntry {
  readonly type: "file" | "directory" | "symlink" | "fifo" | "other";
  readonly mode: string;
  readonly owner: string;
  /** Microseconds. */
  readonly mtime: bigint;
  readonly size?: bigint;
  /** `sha256:…` of a file, the target of a link; bytes as latin1. */
  readonly content?: string;
  /** The first of its names, in order, where it has several. */
  readonly hardLinkOf?: string;
  readonly xattrs?: string;
}

export type TreeSnapshot = { readonly [path: string]: TreeEntry };

/** Every path below the directory, itself as `.`, its bytes as latin1; sorted. Attributes cost the run of a program. */
export function snapshotTree(directory: string, { attributes = true } = {}): TreeSnapshot {
  const paths = [".", ...pathsBelow(Buffer.from(directory), "")].toSorted();
  const firstOfInode = new Map<bigint, string>();
  const xattrs = attributes ? xattrsBelow(directory) : new Map<string, string>();
  return Object.fromEntries(
    paths.map((path) => {
      const at = Buffer.from(`${Buffer.from(directory).toString("latin1")}/${path}`, "latin1");
      const stat = lstatSync(at, { bigint: true });
      const first = stat.isDirectory() ? path : (firstOfInode.get(stat.ino) ?? path);
      firstOfInode.set(stat.ino, first);
      const type = stat.isFile()
        ? "file"
        : stat.isDirectory()
          ? "directory"
          : stat.isSymbolicLink()
            ? "symlink"
            : stat.isFIFO()
              ? "fifo"
              : "other";
      const entry: TreeEntry = {
        type,
        mode: (stat.mode & 0o7777n).toString(8).padStart(4, "0"),
        owner: `${stat.uid}:${stat.gid}`,
        mtime: stat.mtimeNs / 1000n,
        ...(type === "file" && { size: stat.size, content: sha256(readFileSync(at)) }),
        ...(type === "symlink" && { content: readlinkSync(at, { encoding: "buffer" }).toString("latin1") }),
        ...(first !== path && { hardLinkOf: first }),
        ...(xattrs.has(path) && { xattrs: xattrs.get(path) }),
      } as TreeEntry;
      return [path, entry];
    }),
  );
}

/** Without what two honest unpackers may see differently. */
export function without(tree: TreeSnapshot, ...fields: readonly (keyof TreeEntry)[]): TreeSnapshot {
  return Object.fromEntries(
    Object.entries(tree).map(([path, entry]) => {
      const left = Object.entries(entry).filter(([field]) => !fields.includes(field as keyof TreeEntry));
      return [path, Object.fromEntries(left) as unknown as TreeEntry];
    }),
  );
}

function pathsBelow(directory: Buffer, prefix: string): string[] {
  return readdirSync(directory, { encoding: "buffer" }).flatMap((name) => {
    const path = `${prefix}${name.toString("latin1")}`;
    const at = Buffer.concat([directory, Buffer.from("/"), name]);
    return lstatSync(at).isDirectory() ? [path, ...pathsBelow(at, `${path}/`)] : [path];
  });
}

function xattrsBelow(directory: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const getfattr = onPath("getfattr");
  if (getfattr === undefined) return found;
  const dump = execFileSync(getfattr, ["-R", "-P", "-h", "-d", "-m", "-", "-e", "base64", "."], {
    cwd: directory,
    env: { LC_ALL: "C" },
    maxBuffer: 64 * 1024 ** 2,
  }).toString("latin1");
  for (const block of dump.split("\n\n")) {
    const [, path, values] = /^# file: ([^\n]*)\n([^]*)$/.exec(block) ?? [];
    if (path === undefined || values === undefined) continue;
    const plain = path.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 8)),
    );
    found.set(plain, values.trim().split("\n").toSorted().join("\n"));
  }
  return found;
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
