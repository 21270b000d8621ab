import { fork } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { type Bundle, bundle } from "../support/bundle.ts";
import { shortLived } from "../support/short-lived.ts";
import type { Command, Report } from "./protocol.ts";

/** A worker as its parent sees it. */
export interface WorkerProcess {
  readonly pid: number;
  tell(command: Command): void;
  /** What it says next; undefined once it is dead and all that it said was heard. */
  next(): Promise<Report | undefined>;
  /** Kills it, and resolves when it is dead. */
  kill(): Promise<void>;
  /** Asks it to end, and resolves when it has. */
  end(): Promise<void>;
  /** The signal that ended it, or its exit status. */
  readonly ended: Promise<string | number>;
}

/** The program of a worker; `sources`: of the packages, instead of what is built of them. */
export function bundleWorker(options: { readonly sources: boolean }): Promise<Bundle> {
  return bundle(new URL("worker.ts", import.meta.url), options);
}

export function startWorker({ file }: Bundle): WorkerProcess {
  const child = fork(file, { execArgv: [...shortLived], stdio: ["ignore", "inherit", "inherit", "ipc", "pipe"] });
  const ended = new Promise<string | number>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? code ?? 0));
  });
  // A worker that dies while it is told something has not heard it.
  child.on("error", () => {});
  const words = createInterface({ input: child.stdio[4] as Readable })[Symbol.asyncIterator]();
  return {
    pid: child.pid ?? 0,
    ended,
    tell: (command) => {
      child.send(command, () => {});
    },
    async next() {
      const word = await words.next();
      if (word.done === true) return undefined;
      const report: Report = JSON.parse(word.value);
      return report;
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    async end() {
      child.send({ do: "end" } satisfies Command, () => {});
      await ended;
    },
  };
}
