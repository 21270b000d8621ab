import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** One process, told apart from a later one that got the same pid. Stands in lock files: its fields stay as they are. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in the operating system's own words. */
  readonly started: string;
  readonly host: string;
  /** Of the kernel's current run; empty where the operating system gives none. */
  readonly boot: string;
  /** Pids mean something only within one of these; empty where the operating system has none. */
  readonly pidNamespace: string;
}

/** The same in short, for the name of a file. Stands in names of files on disk: what it is made of stays as it is. */
export interface ProcessTag {
  /** Twelve hex digits for this boot of this machine, and this container of it. */
  readonly machine: string;
  readonly pid: number;
  /** When it began, in the kernel's ticks since the boot; 0 where the system does not count so. */
  readonly started: number;
}

let own: ProcessIdentity | undefined;

export function thisProcess(): ProcessIdentity {
  own ??= {
    pid: process.pid,
    started: processOf(process.pid)?.started ?? "",
    host: hostname(),
    boot: attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()) ?? "",
    pidNamespace: attempt(() => readlinkSync("/proc/self/ns/pid")) ?? "",
  };
  return own;
}

export function tagOf({ pid, started, host, boot, pidNamespace }: ProcessIdentity): ProcessTag {
  // With the line's end, as the kernel gives it.
  const kernel = boot === "" ? "" : `${boot}\n`;
  const machine = createHash("sha256")
    .update(JSON.stringify([host, kernel, pidNamespace]))
    .digest("hex");
  return { machine: machine.slice(0, 12), pid, started: /^\d+$/.test(started) ? Number(started) : 0 };
}

/** Whether the process runs; "unknown" where it cannot be seen from here: another machine, another container. */
export function livenessOf(other: ProcessIdentity): "alive" | "dead" | "unknown" {
  const here = thisProcess();
  // The machine was started again, so whatever ran on it is gone.
  if (other.host === here.host && other.boot !== here.boot) return "dead";
  if (other.boot !== here.boot || other.pidNamespace !== here.pidNamespace) return "unknown";
  if (other.boot === "" && other.host !== here.host) return "unknown";
  const found = processOf(other.pid);
  if (found === undefined) return isThere(other.pid) ? "unknown" : "dead";
  return !found.hasEnded && found.started === other.started ? "alive" : "dead";
}

/**
 * Whether the process surely is no more. Of another machine, or another container of this one, nobody here can tell: not
 * surely.
 */
export function hasEnded({ machine, pid, started }: ProcessTag): boolean {
  const here = tagOf(thisProcess());
  if (machine !== here.machine) return false;
  const found = processOf(pid);
  if (found === undefined || started === 0) return !isThere(pid);
  return found.hasEnded || found.started !== String(started);
}

/** Undefined where there is none, or the system hides it. */
function processOf(pid: number): { readonly started: string; readonly hasEnded: boolean } | undefined {
  if (process.platform === "linux") {
    const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
    // After the pid and the program's name, which stands in parentheses and may hold anything: the state, and 19 fields
    // later the time it started (proc_pid_stat(5)). A zombie has ended, though nobody has asked how.
    const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
    const started = fields[19];
    return started === undefined ? undefined : { started, hasEnded: fields[0] === "Z" || fields[0] === "X" };
  }
  const started = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim();
  return started === "" ? undefined : { started, hasEnded: false };
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
