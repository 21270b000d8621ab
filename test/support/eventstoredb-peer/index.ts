// A stand-in for EventStoreDB, for tests: the part of its gRPC protocol that an event log needs, spoken to the real
// client on loopback, in memory, faithful in revisions, repeated appends, errors and subscriptions, and failing on command.
import { PeerLog } from "./log.ts";
import { type NodeOptions, PeerNode } from "./peer-node.ts";

export type { NodeOptions } from "./peer-node.ts";
export type { PeerNode };

export interface Peer extends AsyncDisposable {
  /** `esdb://127.0.0.1:…?tls=false`: of all nodes. */
  readonly url: string;
  readonly log: PeerLog;
  readonly node: PeerNode;
}

/** One server. */
export async function startEventStoreDbPeer(options: NodeOptions = {}): Promise<Peer> {
  const log = new PeerLog();
  const node = new PeerNode(log, options);
  await node.start();
  const url = `esdb://${node.host}:${node.port}?tls=${options.tls !== undefined}`;
  return { url, log, node, [Symbol.asyncDispose]: async () => node.kill() };
}

export interface PeerCluster extends AsyncDisposable {
  readonly url: string;
  readonly log: PeerLog;
  readonly nodes: readonly PeerNode[];
  readonly leader: PeerNode;
  /** Makes another node the leader. The old one keeps running, and sends who needs the leader to the new one. */
  lead(index: number): void;
}

/** Several servers that share one log, the first of them the leader. */
export async function startEventStoreDbCluster(size: 2 | 3, options: NodeOptions = {}): Promise<PeerCluster> {
  const log = new PeerLog();
  const nodes: PeerNode[] = Array.from({ length: size }, () => new PeerNode(log, options, () => nodes));
  const lead = (index: number): void => {
    for (const [each, node] of nodes.entries()) node.isLeader = each === index;
  };
  lead(0);
  for (const node of nodes) await node.start();
  const hosts = nodes.map(({ host, port }) => `${host}:${port}`).join(",");
  const [first] = nodes;
  if (first === undefined) throw new Error("a cluster has nodes");
  return {
    url: `esdb://${hosts}?tls=false&discoveryInterval=20&maxDiscoverAttempts=5`,
    log,
    nodes,
    get leader() {
      return nodes.find(({ isLeader }) => isLeader) ?? first;
    },
    lead,
    [Symbol.asyncDispose]: async () => {
      for (const node of nodes) node.kill();
    },
  };
}
