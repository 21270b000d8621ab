import { basename } from "node:path";

/**
 * The arguments of the command line. A link to this program called `check` or `in` is that command, so that it can
 * stand in the place of `/opt/resource/check` and `/opt/resource/in`.
 */
export function commandLine([, program = "", ...args]: readonly string[]): readonly string[] {
  const name = basename(program);
  return name === "check" || name === "in" ? [name, ...args] : args;
}
