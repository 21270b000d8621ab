import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { isAbsolute, join } from "node:path";
import { isMainThread } from "node:worker_threads";
import type { EventLog, ReadModel } from "@fetch-image/core/fetching";
import {
  type Answer,
  type Call,
  changesFromWire,
  documents,
  errorToWire,
  factToWire,
  messageToWire,
  protocolVersion,
  type Question,
  type Questions,
  revisionFromWire,
  revisionToWire,
  send,
  versionToWire,
} from "./protocol.ts";
import { withSocketPath } from "./socket-path.ts";

/** What is read. */
export interface ReadableStore {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
}

/** The store, or a promise of one: readers that come before it is open wait, and hear why where it cannot be. */
export type ServeReadersOptions = (ReadableStore | { readonly store: Promise<ReadableStore> }) & {
  /** The data directory, whose lock the caller holds, or is about to take. */
  readonly directory: string;
  /** The socket's name in the directory, or an absolute path. Default: `readers.sock`. */
  readonly socket?: string;
  /** Asked by another process that wants to write; true to give way. Default: no. */
  readonly giveWay?: () => boolean;
};

export const defaultSocket = "readers.sock";

export interface ReaderServer {
  close(): Promise<void>;
}

/**
 * Answers readers in other processes of the same user, on a unix socket (mode 0600), for as long as this process holds
 * the store. Facts can be read and followed, the read model asked and projected; nothing can be appended.
 */
export async function serveReaders(options: ServeReadersOptions): Promise<ReaderServer> {
  const { directory, socket = defaultSocket } = options;
  const store: Promise<ReadableStore> = "store" in options ? options.store : Promise.resolve(options);
  // Whoever opens the store hears of it first.
  store.catch(() => undefined);
  const connections = new Set<Socket>();
  const server = createServer((connection) => {
    connections.add(connection);
    connection.once("close", () => connections.delete(connection));
    connection.on("error", () => connection.destroy());
    // A reader keeps nobody from ending.
    connection.unref();
    void serve(connection, store, options.giveWay ?? (() => false));
  });
  await withSocketPath(directory, socket, (path) => listen(server, path));
  server.unref();
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const connection of connections) connection.destroy();
      await closed;
      rmSync(isAbsolute(socket) ? socket : join(directory, socket), { force: true });
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // Node binds before `listen` returns, so that nobody else ever finds the socket open. Worker threads have no umask.
    const umask = isMainThread ? process.umask(0o177) : undefined;
    server.listen(path, () => {
      try {
        chmodSync(path, 0o600);
      } catch (error) {
        // Who took the directory at this moment has removed it as a dead process's: the lock will tell.
        if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) {
          server.close();
          reject(error);
          return;
        }
      }
      resolve();
    });
    if (umask !== undefined) process.umask(umask);
  });
}

async function serve(connection: Socket, store: Promise<ReadableStore>, giveWay: () => boolean): Promise<void> {
  const gone = new AbortController();
  connection.once("close", () => gone.abort());
  try {
    await send(connection, { "fetch-image": "readers", version: protocolVersion, pid: process.pid });
    for await (const document of documents(connection)) {
      if (!("call" in document)) throw new Error("a reader sent something else than a call");
      void answer(connection, document, { store, giveWay, signal: gone.signal });
    }
  } catch {
    // The reader has gone, or is none of ours.
  }
  connection.destroy();
}

interface Context {
  readonly store: Promise<ReadableStore>;
  readonly giveWay: () => boolean;
  readonly signal: AbortSignal;
}

async function answer(connection: Socket, call: Call, context: Context): Promise<void> {
  let last: Answer;
  try {
    if (call.call === "subscribe") {
      const { eventLog } = await context.store;
      for await (const message of eventLog.subscribe({ ...call.options, signal: context.signal })) {
        await send(connection, { id: call.id, message: messageToWire(message) });
      }
      return;
    }
    last = { id: call.id, result: await ask(call, context) };
  } catch (error) {
    last = { id: call.id, error: errorToWire(error) };
  }
  await send(connection, last);
}

async function ask(
  call: Exclude<Call, { readonly call: "subscribe" }>,
  { store, giveWay }: Context,
): Promise<Questions[Question]["answer"]> {
  if (call.call === "yield") return giveWay();
  const { eventLog, readModel } = await store;
  switch (call.call) {
    case "read": {
      const { from, ...options } = call.options;
      const facts = await eventLog.read(call.stream, {
        ...options,
        ...(from === undefined ? {} : { from: BigInt(from) }),
      });
      return facts.map(factToWire);
    }
    case "readAll": {
      const page = await eventLog.readAll(call.options);
      return { ...page, facts: page.facts.map(factToWire), next: page.next ?? null };
    }
    case "checkpoint":
      return (await readModel.checkpoint()) ?? null;
    case "apply": {
      return readModel.apply(changesFromWire(call.changes), { from: call.from ?? undefined, to: call.to });
    }
    case "reset":
      await readModel.reset();
      return null;
    case "build":
      return (await readModel.build(call.buildId)) ?? null;
    case "builds":
      return readModel.builds(call.query);
    case "imagesOfBuild":
      return readModel.imagesOfBuild(call.buildId);
    case "images":
      return readModel.images(call.filter, call.page);
    case "scope":
      return (await readModel.scope(call.scope)) ?? null;
    case "everyScope":
      return readModel.everyScope(call.page);
    case "scopes":
      return readModel.scopes(call.filter);
    case "versions":
      return (await readModel.versions(call.scope)).map(versionToWire);
    case "observations": {
      const { before, ...filter } = call.filter;
      const { after, ...page } = call.page;
      const rows = await readModel.observations(
        { ...filter, ...(before === undefined ? {} : { before: BigInt(before) }) },
        { ...page, ...(after === undefined ? {} : { after: revisionFromWire(after) }) },
      );
      return rows.map(revisionToWire);
    }
    case "stays": {
      const { scope, limit, before } = call;
      const rows = await readModel.stays(scope, { limit, ...(before === undefined ? {} : { before: BigInt(before) }) });
      return rows.map(revisionToWire);
    }
    case "droppedBefore":
      return (await readModel.droppedBefore()) ?? null;
    default:
      throw new Error(`a reader asked something unknown: ${JSON.stringify(call)}`);
  }
}
