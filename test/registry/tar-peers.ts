// Other programs that read and write layers.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

export function onPath(program: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

/** Says why tests that need the programs are skipped, or undefined when they can run. */
export function programsMissing(...programs: readonly string[]): string | undefined {
  const missing = programs.filter((program) => onPath(program) === undefined);
  if (missing.length === 0) return undefined;
  return `not installed: ${missing.join(", ")} (apt-get install ${[...new Set(missing.map(packageOf))].join(" ")})`;
}

export const isRoot: boolean = process.getuid?.() === 0;

function packageOf(program: string): string {
  return program === "setfattr" || program === "getfattr" ? "attr" : program;
}
