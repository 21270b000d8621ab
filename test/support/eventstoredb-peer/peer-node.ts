import type { EventEmitter } from "node:events";
import { createServer } from "node:net";
import {
  type Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerErrorResponse,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import gossipService from "@eventstore/db-client/generated/gossip_grpc_pb.js";
import featuresService from "@eventstore/db-client/generated/serverfeatures_grpc_pb.js";
import type { ReadReq } from "@eventstore/db-client/generated/streams_pb.js";
import streamsService from "@eventstore/db-client/generated/streams_grpc_pb.js";
import { append } from "./append.ts";
import { batchAppend } from "./batch-append.ts";
import { deleteStream, tombstoneStream } from "./delete.ts";
import { type Faults, type Method, noFaults } from "./faults.ts";
import type { PeerLog } from "./log.ts";
import { clusterInfo, type Member, supportedMethods } from "./node-info.ts";
import type { NodeContext } from "./node-context.ts";
import { read } from "./read.ts";
import { brokenDown, cancelledByServer, notLeader, unauthenticated } from "./refusals.ts";

export interface NodeOptions {
  /** Of the server that is played. Default: 23.10.6. */
  readonly version?: string;
  /** Whether it takes batches; a server before 21.10 does not. Default: true. */
  readonly batches?: boolean;
  /** Names and passwords; a call that gives others is refused. */
  readonly users?: Readonly<Record<string, string>>;
  /** Certificate and key, PEM. Default: no TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** What calls of every kind have in common. */
type Call = EventEmitter & { readonly metadata: Metadata };
type Reply = sendUnaryData<never>;
type Handler = (call: never, reply: never) => unknown;

/** One server on loopback. It keeps its port, and with its log its data, over stops and starts. */
export class PeerNode implements NodeContext {
  readonly host = "127.0.0.1";
  readonly log: PeerLog;
  readonly faults: Faults = noFaults();
  readonly askedFrom: bigint[] = [];
  /** How many calls of each method have come in so far. */
  readonly calls: Record<Method, number> = {
    batchAppend: 0,
    append: 0,
    read: 0,
    subscribe: 0,
    delete: 0,
    features: 0,
    gossip: 0,
  };
  isLeader = true;
  port = 0;
  readonly #options: NodeOptions;
  readonly #members: () => readonly PeerNode[];
  readonly #open = new Set<Call>();
  #server: Server | undefined;

  constructor(log: PeerLog, options: NodeOptions = {}, members?: () => readonly PeerNode[]) {
    this.log = log;
    this.#options = options;
    this.#members = members ?? (() => [this]);
  }

  /** Calls under way, reads and subscriptions above all. */
  get openCalls(): number {
    return this.#open.size;
  }

  get isRunning(): boolean {
    return this.#server !== undefined;
  }

  async start(): Promise<void> {
    if (this.port === 0) this.port = await freePort(this.host);
    const server = new Server({
      "grpc.max_receive_message_length": 17 * 1024 * 1024,
      "grpc.max_send_message_length": -1,
    });
    server.addService(streamsService.StreamsService, this.#streams());
    server.addService(featuresService.ServerFeaturesService, {
      getSupportedMethods: this.#guarded("features", (_call: never, reply: Reply) =>
        reply(null, supportedMethods(this.#options.version ?? "23.10.6", this.#options.batches ?? true) as never),
      ),
    });
    server.addService(gossipService.GossipService, {
      read: this.#guarded("gossip", (_call: never, reply: Reply) =>
        reply(null, clusterInfo(this.#members().map(asMember)) as never),
      ),
    });
    const { tls } = this.#options;
    const credentials =
      tls === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }]);
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`${this.host}:${this.port}`, credentials, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    this.#server = server;
  }

  /** As a server that is told to stop: what is under way is ended by a status, then the connections go. */
  async stop(): Promise<void> {
    for (const call of this.#open) call.emit("error", cancelledByServer());
    // The statuses are on their way once the event loop has turned.
    await new Promise((resolve) => setTimeout(resolve, 20));
    this.kill();
  }

  /** As a server whose process is gone: connections are reset, new ones refused. */
  kill(): void {
    const server = this.#server;
    this.#server = undefined;
    server?.forceShutdown();
    this.#open.clear();
  }

  async cut(): Promise<void> {
    if (this.#server === undefined) return;
    this.kill();
    await this.start();
  }

  #streams(): UntypedServiceImplementation {
    return {
      read: this.#guarded("read", (call: Parameters<typeof read>[1]) => read(this, call)),
      append: this.#guarded("append", (call: Parameters<typeof append>[1], reply: Parameters<typeof append>[2]) =>
        append(this, call, reply),
      ),
      batchAppend: this.#guarded("batchAppend", (call: Parameters<typeof batchAppend>[1]) => batchAppend(this, call)),
      delete: this.#guarded("delete", (call: never, reply: never) => deleteStream(this, call, reply)),
      tombstone: this.#guarded("delete", (call: never, reply: never) => tombstoneStream(this, call, reply)),
    };
  }

  /** What holds for every call: who may make it, where, and whether it is answered at all. */
  #guarded(method: Method, handler: Handler): (call: Call, reply?: Reply) => void {
    return (call, reply) => {
      const kind = method === "read" && isSubscription(call) ? "subscribe" : method;
      this.calls[kind]++;
      this.#open.add(call);
      for (const event of ["cancelled", "close", "finish", "error"]) call.on(event, () => this.#open.delete(call));
      const refuse = (error: unknown): void => {
        const refusal = isRefusal(error) ? error : brokenDown(error);
        this.#open.delete(call);
        if (reply === undefined) call.emit("error", refusal);
        else reply(refusal);
      };
      // Heard by nobody where the handler has ended.
      call.on("error", () => undefined);
      const answered: Reply = (error, ...rest) => {
        this.#open.delete(call);
        reply?.(error, ...rest);
      };
      if (!this.#isKnown(call)) return refuse(unauthenticated());
      if (this.faults.mute.has(kind)) return;
      const leader = this.#members().find(({ isLeader }) => isLeader);
      if (!this.isLeader && leader !== undefined && call.metadata.get("requires-leader")[0] === "true") {
        return refuse(notLeader(leader.host, leader.port));
      }
      const work = async (): Promise<void> => {
        await handler(call as never, answered as never);
      };
      work().catch(refuse);
    };
  }

  #isKnown(call: Call): boolean {
    const [header] = call.metadata.get("authorization");
    if (header === undefined || this.#options.users === undefined) return true;
    const given = Buffer.from(String(header).replace(/^Basic /, ""), "base64").toString();
    const [, name = "", password] = /^([^:]*):(.*)$/.exec(given) ?? [];
    return this.#options.users[name] === password;
  }
}

function asMember(node: PeerNode): Member {
  return { host: node.host, port: node.port, isLeader: node.isLeader, isAlive: node.isRunning };
}

function isSubscription(call: Call): boolean {
  const { request }: { request?: ReadReq } = call as { request?: ReadReq };
  return request?.getOptions()?.hasSubscription() === true;
}

function isRefusal(error: unknown): error is ServerErrorResponse {
  return error instanceof Error && "code" in error && "details" in error;
}

/** Below 32768, where outgoing connections take their ephemeral ports: nobody gets it while the node is stopped. */
async function freePort(host: string): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen(port, host, () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}
