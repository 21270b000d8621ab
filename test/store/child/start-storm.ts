import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { StormReport, StormTask } from "./storm-messages.ts";

/** A process that writes, follows and reads an event store until it is told to end. */
export interface Storm {
  /** Ids of the facts whose append was acknowledged to it. */
  readonly acknowledged: readonly string[];
  acknowledgedAtLeast(count: number): Promise<void>;
  /** Ends it at once, where it still runs. */
  kill(): void;
  /** Lets it finish what it is doing, and end by itself. */
  end(): Promise<{ readonly followed: readonly string[]; readonly exitCode: number | null }>;
}

// Reads the sources, as the tests do.
const execArgv = [
  "--import",
  new URL("typescript-hook.mjs", import.meta.url).href,
  "--conditions",
  "fetch-image:source",
];

export async function startStorm(url: string, writers: number): Promise<Storm> {
  const script = fileURLToPath(new URL("storm.ts", import.meta.url));
  const child = fork(script, { execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  child.setMaxListeners(0);
  const acknowledged: string[] = [];
  let followed: readonly string[] = [];
  const looking = new Set<() => void>();
  const ended = once(child, "exit");
  const ready = new Promise<void>((resolve, reject) => {
    child.on("message", (report: StormReport) => {
      if (report.kind === "ready") resolve();
      else if (report.kind === "acknowledged") acknowledged.push(report.id);
      else followed = report.ids;
      for (const look of looking) look();
    });
    child.once("exit", () => reject(new Error("the process ended before it was ready")));
  });
  await ready;
  const task: StormTask = { url, writers };
  child.send(task);
  return {
    acknowledged,
    kill: () => void child.kill("SIGKILL"),
    acknowledgedAtLeast: (count) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (acknowledged.length < count) return;
          looking.delete(look);
          resolve();
        };
        looking.add(look);
        child.once("exit", (code) => reject(new Error(`the process ended, with ${code}`)));
        look();
      }),
    end: async () => {
      child.send({ end: true });
      const [exitCode]: (number | null)[] = await ended;
      return { followed, exitCode: exitCode ?? null };
    },
  };
}
