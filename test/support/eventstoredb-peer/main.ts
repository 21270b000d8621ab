// The peer as a process of its own, for tests and benches whose clients are killed, or must not share its processor time:
//   node --import ./test/store/child/typescript-hook.mjs test/support/eventstoredb-peer/main.ts [number of nodes]
// Prints {"url":…} once it listens. Takes PeerCommands over the channel it was forked with, if it was, and ends with it.
import type { PeerCommand, PeerReady, PeerReply } from "./commands.ts";
import { startEventStoreDbCluster, startEventStoreDbPeer } from "./index.ts";
import type { PeerNode } from "./peer-node.ts";

const size = Number(process.argv[2] ?? "1");
if (size !== 1 && size !== 2 && size !== 3) throw new Error("1, 2 or 3 nodes");
const { url, log, nodes } = await start(size);
const ready: PeerReady = { url };
process.stdout.write(`${JSON.stringify(ready)}\n`);
process.on("message", (command: PeerCommand) => {
  carryOut(command).then(
    (done) => tell({ done }),
    (error: unknown) => tell({ failed: String(error) }),
  );
});
process.once("disconnect", () => process.exit(0));

async function start(count: 1 | 2 | 3): Promise<{ url: string; log: PeerNode["log"]; nodes: readonly PeerNode[] }> {
  if (count !== 1) return startEventStoreDbCluster(count);
  const peer = await startEventStoreDbPeer();
  return { url: peer.url, log: peer.log, nodes: [peer.node] };
}

async function carryOut(command: PeerCommand): Promise<number | null> {
  if (command.do === "count") return log.events.filter(({ stream }) => stream.startsWith(command.prefix)).length;
  const node = nodes[command.node];
  if (node === undefined) throw new Error(`there is no node ${command.node}`);
  switch (command.do) {
    case "faults":
      Object.assign(node.faults, command.set);
      return null;
    case "mute":
      node.faults.mute.clear();
      for (const method of command.methods) node.faults.mute.add(method);
      return null;
    case "lead":
      for (const each of nodes) each.isLeader = each === node;
      return null;
    default:
      await node[command.do]();
      return null;
  }
}

function tell(reply: PeerReply): void {
  process.send?.(reply);
}
