import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { PeerCommand, PeerReady, PeerReply } from "./commands.ts";

/** A peer in a process of its own. */
export interface PeerProcess extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  tell(command: PeerCommand): Promise<number | null>;
}

const execArgv = [
  "--import",
  new URL("../../store/child/typescript-hook.mjs", import.meta.url).href,
  "--conditions",
  "fetch-image:source",
];

export async function startPeerProcess(nodes: 1 | 2 | 3 = 1): Promise<PeerProcess> {
  const script = fileURLToPath(new URL("main.ts", import.meta.url));
  const child = fork(script, [String(nodes)], { execArgv, stdio: ["ignore", "pipe", "inherit", "ipc"] });
  const ended = once(child, "exit");
  const [line]: Buffer[] = await Promise.race([
    once(child.stdout ?? child, "data"),
    ended.then(() => Promise.reject(new Error("the peer ended before it listened"))),
  ]);
  const { url }: PeerReady = JSON.parse(String(line));
  const waiting: ((reply: PeerReply) => void)[] = [];
  child.on("message", (reply: PeerReply) => waiting.shift()?.(reply));
  return {
    url,
    pid: child.pid ?? 0,
    tell: (command) =>
      new Promise((resolve, reject) => {
        waiting.push((reply) => ("failed" in reply ? reject(new Error(reply.failed)) : resolve(reply.done)));
        child.send(command);
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
