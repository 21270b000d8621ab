import { fork } from "node:child_process";
import { once } from "node:events";
import { type Bundle, bundle } from "../../support/bundle.ts";
import { shortLived } from "../../support/short-lived.ts";
import type { Command, Reply, Told } from "./commands.ts";

/** A process with an embedded store of its own, and what it was told. */
export interface Child {
  readonly pid: number;
  /** Ids of the facts whose append was acknowledged to it, by `append-forever`. */
  readonly acknowledged: readonly string[];
  /** Rejects with the child's error: its code, message and details. */
  ask(command: WithoutId<Command>): Promise<Told>;
  /** Resolves when so many facts have been acknowledged. */
  acknowledgedAtLeast(count: number): Promise<void>;
  /** Ends it, and resolves when it has. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  readonly ended: Promise<unknown>;
}

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;

/** Of the sources, as the tests are; made once for this process, and removed by a later one. */
let program: Promise<Bundle> | undefined;

export interface ChildOptions {
  readonly uid?: number;
  readonly cwd?: string;
}

export async function startChild(options: ChildOptions = {}): Promise<Child> {
  const { file } = await (program ??= bundle(new URL("child.ts", import.meta.url), { sources: true }));
  const child = fork(file, { ...options, execArgv: [...shortLived], stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const acknowledged: string[] = [];
  const waiting = new Map<number, (reply: Extract<Reply, { id: number }>) => void>();
  const looking = new Set<() => void>();
  const ended = once(child, "exit");
  let next = 0;
  const ready = new Promise<void>((resolve, reject) => {
    child.on("message", (reply: Reply) => {
      if ("ready" in reply) resolve();
      else if ("acknowledged" in reply) acknowledged.push(reply.acknowledged);
      else waiting.get(reply.id)?.(reply);
      for (const look of looking) look();
    });
    child.once("exit", () => reject(new Error("the child ended before it was ready")));
  });
  await ready;
  return {
    pid: child.pid ?? 0,
    acknowledged,
    ended,
    ask: (command) =>
      new Promise((resolve, reject) => {
        const id = ++next;
        waiting.set(id, (reply) => {
          if ("error" in reply) reject(Object.assign(new Error(reply.error.message), reply.error));
          else resolve(reply.result);
        });
        child.once("exit", () => reject(new Error("the child ended")));
        child.send({ ...command, id });
      }),
    acknowledgedAtLeast: (count) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (acknowledged.length < count) return;
          looking.delete(look);
          resolve();
        };
        looking.add(look);
        child.once("exit", () => reject(new Error("the child ended")));
        look();
      }),
    kill: async (signal = "SIGKILL") => {
      child.kill(signal);
      await ended;
    },
  };
}
