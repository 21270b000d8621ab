import { randomUUID } from "node:crypto";
import { linkSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { FetchImageError } from "@fetch-image/core/fetching";
import { codeOf } from "./directory-errors.ts";
import { livenessOf, type ProcessIdentity, thisProcess } from "../process/identity.ts";
import { withSocketPath } from "../readers/socket-path.ts";

export type Access = "write" | "read";

/** Who holds a data directory, as the lock file says. */
export interface Holder extends ProcessIdentity {
  /** A holder that only reads gives way to one that wants to write. */
  readonly access: Access;
  /** Where it answers readers: a name in the directory, or a path. Listening before the lock is taken. */
  readonly socket: string;
}

export interface DirectoryLock {
  /** Gives the directory free; safe to repeat. Done at the latest when the process exits. */
  release(): void;
}

/**
 * Takes the directory for this process, or says who has it: only a process that is certainly dead loses it.
 *
 * The lock is a file `lock.N`, made whole in one step (a hard link). To take over from a dead or released `lock.N` is to
 * make `lock.N+1`, which only one process can; so two that find the same dead holder never both win, as they could if
 * one removed what the other had just made.
 */
export async function acquireLock(
  directory: string,
  wanted: { readonly access: Access; readonly socket: string },
): Promise<DirectoryLock> {
  for (;;) {
    const newest = newestLock(directory);
    const holder = newest === undefined ? undefined : await livingHolder(directory, newest);
    if (holder !== undefined) throw locked(directory, holder);
    const mine = (newest ?? 0) + 1;
    if (!claim(directory, mine, { ...thisProcess(), ...wanted })) continue;
    if (newestLock(directory) !== mine) {
      // Slow enough for others to have come and gone: theirs counts.
      rmSync(lockPath(directory, mine), { force: true });
      continue;
    }
    for (const older of lockNumbers(directory)) if (older < mine) rmSync(lockPath(directory, older), { force: true });
    return held(directory, mine);
  }
}

/** The process that holds the directory now, if one does. */
export async function currentHolder(directory: string): Promise<Holder | undefined> {
  const newest = newestLock(directory);
  return newest === undefined ? undefined : livingHolder(directory, newest);
}

export function locked(directory: string, holder: Holder): FetchImageError {
  const where = holder.host === thisProcess().host ? "" : ` on ${holder.host}`;
  return new FetchImageError("FI_STORE_LOCKED", {
    message: `${directory} is held by process ${holder.pid}${where}`,
    ...(livenessOf(holder) === "unknown"
      ? { hint: `Whether that process still runs cannot be seen from here. If it does not, remove ${directory}/lock.*` }
      : {}),
    details: { directory, pid: holder.pid, host: holder.host, access: holder.access },
  });
}

function held(directory: string, number: number): DirectoryLock {
  const release = (): void => {
    process.off("exit", release);
    try {
      // The file stays, so that numbers only grow; an empty one is nobody's. Emptying needs no room on a full disk.
      truncateSync(lockPath(directory, number));
    } catch (error) {
      // The whole directory may have been removed meanwhile.
      if (codeOf(error) !== "ENOENT") throw error;
    }
  };
  process.once("exit", release);
  let released = false;
  return {
    release: () => {
      if (!released) release();
      released = true;
    },
  };
}

/** Makes the lock file with its content in one step; false where it exists. */
function claim(directory: string, number: number, holder: Holder): boolean {
  const whole = join(directory, `lock-${randomUUID()}`);
  writeFileSync(whole, `${JSON.stringify(holder, undefined, 2)}\n`);
  try {
    linkSync(whole, lockPath(directory, number));
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(whole, { force: true });
  }
}

async function livingHolder(directory: string, number: number): Promise<Holder | undefined> {
  const holder = readHolder(lockPath(directory, number));
  if (holder === undefined) return undefined;
  const liveness = livenessOf(holder);
  if (liveness !== "unknown") return liveness === "alive" ? holder : undefined;
  // Another container on this machine: who listens on its socket lives. Another machine: nobody can tell.
  const sameMachine = holder.boot !== "" && holder.boot === thisProcess().boot;
  return sameMachine && (await refuses(directory, holder.socket)) ? undefined : holder;
}

function readHolder(path: string): Holder | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  return text === "" ? undefined : JSON.parse(text);
}

/** True where there certainly is nobody behind the socket. */
function refuses(directory: string, socket: string): Promise<boolean> {
  return withSocketPath(
    directory,
    socket,
    (path) =>
      new Promise((resolve) => {
        const probe = connect(path);
        probe.once("connect", () => {
          probe.destroy();
          resolve(false);
        });
        probe.once("error", (error) => resolve(["ECONNREFUSED", "ENOENT"].includes(String(codeOf(error)))));
      }),
  );
}

function newestLock(directory: string): number | undefined {
  const numbers = lockNumbers(directory);
  return numbers.length === 0 ? undefined : Math.max(...numbers);
}

function lockNumbers(directory: string): readonly number[] {
  return readdirSync(directory).flatMap((name) => {
    const number = /^lock\.(\d{1,15})$/.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
}

function lockPath(directory: string, number: number): string {
  return join(directory, `lock.${number}`);
}
