import { spawn } from "node:child_process";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Skips } from "./skips.ts";

export interface PathWithAttributes {
  /** From the root, in bytes; what stands above its last name is a directory. */
  readonly path: string;
  readonly xattrs: ReadonlyMap<string, string>;
}

/**
 * Why an extended attribute is not taken from an image: what is left for containers is `user.*`, `security.capability`
 * and the like, and POSIX ACLs. `trusted.*` speaks to the host's own overlay file systems, and where to look for other
 * files at that; labels of SELinux and of NFS are the host's to give (umoci leaves those out as well).
 */
export function refusedAttribute(name: string): string | undefined {
  if (name.startsWith("trusted.")) return "`trusted.` is for the host to set";
  if (name === "security.selinux" || name === "system.nfs4_acl") return "it is the host's own";
  if (!/^(?:user|security|system)\../.test(name)) return "no such kind";
  return name.length > 255 ? "its name is too long" : undefined;
}

const program = "setfattr";

/**
 * Sets them by one run of setfattr(1): Node cannot. It is given relative paths and follows no symbolic link, so that it
 * reaches nothing outside `directory`. What it cannot set is skipped, and said so.
 */
export async function setExtendedAttributes(
  directory: string,
  paths: readonly PathWithAttributes[],
  skips: Skips,
): Promise<void> {
  if (paths.length === 0) return;
  const child = spawn(program, ["-h", "--restore=-"], {
    cwd: directory,
    stdio: ["pipe", "ignore", "pipe"],
    env: { PATH: process.env["PATH"], LC_ALL: "C" },
  });
  const said: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => void said.push(chunk));
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "ENOENT" ? "is not there" : error.message),
    );
    child.once("close", (code) => resolve(code === 0 || code === 1 ? "" : `ended with ${code}`));
  });
  // A child that ends early does not read on; how it ended says more than that.
  await pipeline(Readable.from(restoreFile(paths)), child.stdin).catch(() => undefined);
  const failure = await ended;
  const lines = Buffer.concat(said)
    .toString("latin1")
    .split("\n")
    .filter((line) => line !== "");
  for (const line of failure === "" ? lines : []) {
    const [, path = "", why = line] = /^setfattr: (?:\.\/)?(.*): ([^:]+)$/.exec(line) ?? [];
    skips.add(path, `an extended attribute: ${why}`);
  }
  for (const { path } of failure === "" ? [] : paths) skips.add(path, `extended attributes: setfattr ${failure}`);
}

/** What `getfattr --dump` writes (getfattr(1)). */
function* restoreFile(paths: readonly PathWithAttributes[]): Generator<string> {
  for (const { path, xattrs } of paths) {
    const values = [...xattrs].map(
      ([name, value]) => `${escaped(name)}=0s${Buffer.from(value, "latin1").toString("base64")}\n`,
    );
    yield `# file: ./${escaped(path)}\n${values.join("")}\n`;
  }
}

// Backslash and three octal digits, for whatever else would be read in another way.
function escaped(bytes: string): string {
  return bytes.replaceAll(/[^A-Za-z0-9._/@:+,~%-]/g, (character) => {
    return `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`;
  });
}
