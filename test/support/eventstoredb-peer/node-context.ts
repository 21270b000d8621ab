import { setTimeout as sleep } from "node:timers/promises";
import type { Faults } from "./faults.ts";
import type { PeerLog } from "./log.ts";

/** What the handler of a call has to do with its node. */
export interface NodeContext {
  readonly log: PeerLog;
  readonly faults: Faults;
  /** From where everything was read forwards or followed, in the order it was asked for; -1 for the beginning. */
  readonly askedFrom: bigint[];
  /** Cuts every connection of the node's, without a word; it takes new ones at once. */
  cut(): Promise<void>;
}

export async function delayed({ faults }: NodeContext): Promise<void> {
  if (faults.delayMs > 0) await sleep(faults.delayMs);
}

/** Whether the answer to an append that was just stored is to be lost; the connection is then dealt with. */
export function losesAnswer(node: NodeContext): boolean {
  if (node.faults.loseAnswers <= 0) return false;
  node.faults.loseAnswers--;
  if (node.faults.onLostAnswer === "cut") void node.cut();
  return true;
}

export function isDenied({ denied }: Faults, stream: string): boolean {
  return [...denied].some((prefix) => stream.startsWith(prefix));
}
