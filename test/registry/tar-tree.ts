// A directory as data, so that two can be compared: by lstat, readlink, a hash of contents, and getfattr.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { type BigIntStats, chmodSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { isRoot, onPath } from "./tar-peers.ts";

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

/**
 * Every path below the directory, itself as `.`, its bytes as latin1; sorted. Attributes cost the run of a program. What
 * its modes keep from whoever is not root is opened on the way, and stays so.
 */
export function snapshotTree(directory: string, { attributes = true } = {}): TreeSnapshot {
  const found = new Map<string, BigIntStats>();
  look(Buffer.from(directory), ".", found, new Map());
  const firstOfInode = new Map<bigint, string>();
  const xattrs = attributes ? xattrsBelow(directory) : new Map<string, string>();
  return Object.fromEntries(
    [...found.keys()].toSorted().map((path) => {
      const stat = found.get(path) as BigIntStats;
      const at = Buffer.from(`${Buffer.from(directory).toString("latin1")}/${path}`, "latin1");
      const first = stat.isDirectory() ? path : (firstOfInode.get(stat.ino) ?? path);
      firstOfInode.set(stat.ino, first);
      const type = typeOf(stat);
      const values = xattrs.get(path);
      const entry: TreeEntry = {
        type,
        mode: (stat.mode & 0o7777n).toString(8).padStart(4, "0"),
        owner: `${stat.uid}:${stat.gid}`,
        mtime: stat.mtimeNs / 1000n,
        ...(type === "file" && { size: stat.size, content: sha256(readFileSync(at)) }),
        ...(type === "symlink" && { content: readlinkSync(at, { encoding: "buffer" }).toString("latin1") }),
        ...(first !== path && { hardLinkOf: first }),
        ...(values !== undefined && { xattrs: values }),
      };
      return [path, entry];
    }),
  );
}

function typeOf(stat: BigIntStats): TreeEntry["type"] {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  return stat.isFIFO() ? "fifo" : "other";
}

function look(at: Buffer, path: string, found: Map<string, BigIntStats>, byInode: Map<bigint, BigIntStats>): void {
  const now = lstatSync(at, { bigint: true });
  // As it was before it was opened under another of its names.
  const stat = byInode.get(now.ino) ?? now;
  byInode.set(now.ino, stat);
  found.set(path, stat);
  const needed = stat.isDirectory() ? 0o700n : stat.isFile() ? 0o400n : 0n;
  if (!isRoot && (stat.mode & needed) !== needed) chmodSync(at, Number((stat.mode & 0o7777n) | needed));
  if (!stat.isDirectory()) return;
  for (const name of readdirSync(at, { encoding: "buffer" })) {
    const below = Buffer.concat([at, Buffer.from("/"), name]);
    look(below, path === "." ? name.toString("latin1") : `${path}/${name.toString("latin1")}`, found, byInode);
  }
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
