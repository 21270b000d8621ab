import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type CommandOptions, documents, type Ended, repository } from "./cli.ts";
import { shortLived } from "./short-lived.ts";

let host: Promise<ChildProcess> | undefined;
let commands = 0;

/**
 * Runs the built command to its end, in a process that runs many: `env` is what the command reads of settings, not what
 * Node and the vendors' libraries read. What is about the process itself has one of its own, by `fetchImage` of cli.ts.
 */
export async function fetchImageInHost(
  args: readonly string[],
  { cwd = repository, env, input }: Pick<CommandOptions, "cwd" | "env" | "input"> = {},
): Promise<Ended> {
  const child = await (host ??= startHost());
  const id = ++commands;
  return await new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error("the process that runs the commands has ended"));
    const answered = (answer: { id: number; status: number; stdout: string; stderr: string }): void => {
      if (answer.id !== id) return;
      child.off("message", answered).off("exit", ended);
      const { status, stdout, stderr } = answer;
      resolve({ status, stdout, stderr, json: () => documents(stdout) });
    };
    child.on("message", answered).on("exit", ended);
    child.send({ id, args, cwd, env, input });
  });
}

/** Ends with this process. */
async function startHost(): Promise<ChildProcess> {
  const { PATH = "", HOME = "" } = process.env;
  const script = fileURLToPath(new URL("command-host.mjs", import.meta.url));
  const execArgv = [...shortLived];
  const child = fork(script, { env: { PATH, HOME }, execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  child.setMaxListeners(0);
  const early = once(child, "exit").then(([status]) => {
    throw new Error(`the process that runs the commands ended with ${String(status)}: are the packages built?`);
  });
  await Promise.race([once(child, "message"), early]);
  child.unref();
  child.channel?.unref();
  process.once("exit", () => void child.kill("SIGKILL"));
  return child;
}
