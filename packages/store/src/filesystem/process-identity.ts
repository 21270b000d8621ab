import { createHash } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";

/** A process, told apart from all others that were or are, wherever they can see the same disk. */
export interface ProcessIdentity {
  /** Twelve hex digits for this boot of this machine, and this container of it. */
  readonly machine: string;
  readonly pid: number;
  /** When it began, in the kernel's ticks since the boot; 0 where the system does not tell. */
  readonly started: number;
}

let own: Promise<ProcessIdentity> | undefined;

export function thisProcess(): Promise<ProcessIdentity> {
  return (own ??= identify());
}

/**
 * Whether the process surely is no more. Of another machine, or another container of this one, nobody here can tell: not
 * surely.
 */
export async function hasEnded({ machine, pid, started }: ProcessIdentity): Promise<boolean> {
  if (machine !== (await thisProcess()).machine) return false;
  const found = await processOf(pid);
  if (found === undefined) return !isThere(pid);
  // One that has ended and whose parent has not looked yet holds no file any more.
  return found.state === "Z" || found.state === "X" || found.started !== started;
}

async function identify(): Promise<ProcessIdentity> {
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  const pids = await readlink("/proc/self/ns/pid").catch(() => "");
  const machine = createHash("sha256")
    .update(JSON.stringify([hostname(), boot, pids]))
    .digest("hex");
  const { started = 0 } = (await processOf(process.pid)) ?? {};
  return { machine: machine.slice(0, 12), pid: process.pid, started };
}

// Fields 3 and 22 of proc_pid_stat(5). The name before them may hold blanks and brackets.
async function processOf(pid: number): Promise<{ readonly state: string; readonly started: number } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const [state, ...fields] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const started = Number(fields[18]);
  return text === "" || state === undefined || !Number.isSafeInteger(started) ? undefined : { state, started };
}

// Where the system tells nothing of a process, or hides those of others.
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
