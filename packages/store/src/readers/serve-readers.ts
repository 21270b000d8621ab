import { chmodSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { type EventLog, FetchImageError, type ReadModel } from "@fetch-image/core";
import { lines, writeLine } from "./lines.ts";
import {
  type ErrorOnWire,
  factToWire,
  type Method,
  messageToWire,
  pageToWire,
  type Request,
  versionToWire,
} from "./messages.ts";
import { listeningPath, removeSocket } from "./socket-path.ts";

export interface ServeReadersOptions {
  /** The data directory, whose lock the caller holds. */
  readonly directory: string;
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
}

/** Answers readers on a socket in the data directory, which only its owner can open. Nothing can be written through it. */
export async function serveReaders(options: ServeReadersOptions): Promise<{ close(): Promise<void> }> {
  const { directory } = options;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // A reader that goes away in the middle is no news.
    socket.on("error", () => socket.destroy());
    void serve(socket, options).catch(() => socket.destroy());
  });
  const path = listeningPath(directory);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  // Readers never keep the process alive that they read from.
  server.unref();
  return {
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
      removeSocket(directory);
    },
  };
}

type Question = Exclude<Request, { cancel: number }>;

async function serve(socket: Socket, options: ServeReadersOptions): Promise<void> {
  const subscriptions = new Map<number, AbortController>();
  socket.on("close", () => {
    for (const controller of subscriptions.values()) controller.abort();
  });
  for await (const line of lines(socket)) {
    const request: Request = JSON.parse(line);
    if ("cancel" in request) {
      subscriptions.get(request.cancel)?.abort();
      continue;
    }
    const controller = new AbortController();
    if (request.method === "subscribe") subscriptions.set(request.id, controller);
    // Requests of one reader do not wait for each other.
    void answer(socket, options, request, controller.signal).finally(() => subscriptions.delete(request.id));
  }
}

async function answer(
  socket: Socket,
  options: ServeReadersOptions,
  { id, method, parameters }: Question,
  signal: AbortSignal,
): Promise<void> {
  try {
    if (method === "subscribe") {
      for await (const message of options.eventLog.subscribe({ ...parameters[0], signal })) {
        await writeLine(socket, { id, next: messageToWire(message) });
      }
      await writeLine(socket, { id, end: true });
    } else {
      await writeLine(socket, { id, result: (await result(options, method, parameters)) ?? null });
    }
  } catch (error) {
    await writeLine(socket, { id, error: errorOnWire(error) });
  }
}

async function result(
  { eventLog, readModel }: ServeReadersOptions,
  method: Exclude<Method, "subscribe">,
  parameters: Question["parameters"],
): Promise<unknown> {
  const [first, second] = parameters;
  switch (method) {
    case "read": {
      const from = second.from === undefined ? {} : { from: BigInt(second.from) };
      const facts = await eventLog.read(first, { ...second, ...from });
      return facts.map(factToWire);
    }
    case "readAll":
      return pageToWire(await eventLog.readAll(first));
    case "checkpoint":
      return await readModel.checkpoint();
    case "build":
      return await readModel.build(first);
    case "builds":
      return await readModel.builds(first);
    case "imagesOfBuild":
      return await readModel.imagesOfBuild(first);
    case "imagesByDigest":
      return await readModel.imagesByDigest(first, second);
    case "scopes":
      return await readModel.scopes(first);
    case "versions":
      return (await readModel.versions(first)).map(versionToWire);
    default:
      throw new FetchImageError("FI_USAGE", { message: `readers cannot ask for ${String(method satisfies never)}` });
  }
}

function errorOnWire(error: unknown): ErrorOnWire {
  const { code, message, hint, details } = FetchImageError.is(error)
    ? error
    : new FetchImageError("FI_INTERNAL", { message: error instanceof Error ? error.message : String(error) });
  return { code, message, hint, details };
}
