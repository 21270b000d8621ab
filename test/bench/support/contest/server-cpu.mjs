import { readdirSync, readFileSync } from "node:fs";

// `getconf CLK_TCK`: what Linux shows user space, whatever the kernel's own clock.
const ticksPerSecond = 100;

/**
 * CPU seconds that a server has used so far: this process, all below it, and those of them that have ended.
 * @param {readonly number[]} pids of servers
 */
export function cpuSecondsOf(pids) {
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(name));
  const family = new Set(pids);
  for (let size = 0; size < family.size;) {
    size = family.size;
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid);
  }
  const ticks = processes.filter(({ pid }) => family.has(pid)).reduce((sum, process) => sum + process.ticks, 0);
  return ticks / ticksPerSecond;
}

function statOf(name) {
  try {
    const stat = readFileSync(`/proc/${name}/stat`, "utf8");
    // The name in parentheses may hold anything; the fields after it are proc(5)'s from the third on.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return [{ pid: Number(name), parent: Number(fields[1]), ticks }];
  } catch {
    // It has ended meanwhile.
    return [];
  }
}
