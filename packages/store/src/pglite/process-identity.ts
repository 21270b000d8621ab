import { spawnSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** One process, told apart from a later one that got the same pid. */
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

export function thisProcess(): ProcessIdentity {
  return {
    pid: process.pid,
    started: startOf(process.pid) ?? "",
    host: hostname(),
    boot: attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()) ?? "",
    pidNamespace: attempt(() => readlinkSync("/proc/self/ns/pid")) ?? "",
  };
}

/** Whether the process runs; "unknown" where it cannot be seen from here: another machine, another container. */
export function livenessOf(other: ProcessIdentity): "alive" | "dead" | "unknown" {
  const here = thisProcess();
  // The machine was started again, so whatever ran on it is gone.
  if (other.host === here.host && other.boot !== here.boot) return "dead";
  if (other.boot !== here.boot || other.pidNamespace !== here.pidNamespace) return "unknown";
  if (other.boot === "" && other.host !== here.host) return "unknown";
  return startOf(other.pid) === other.started ? "alive" : "dead";
}

function startOf(pid: number): string | undefined {
  if (process.platform === "linux") {
    const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
    // After the pid and the program's name, which stands in parentheses and may hold anything: the state, and 19 fields
    // later the time it started (proc_pid_stat(5)). A zombie has ended, though nobody has asked how.
    const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  }
  const started = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim();
  return started === "" ? undefined : started;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
