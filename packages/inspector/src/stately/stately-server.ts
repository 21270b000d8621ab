import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { FetchImageError, type Logger, silentLogger } from "@fetch-image/core";
import { createProjector, systemClock } from "@fetch-image/engine";
import { type WebSocket, WebSocketServer } from "ws";
import { createGate, createHostGate } from "../access.ts";
import { Refusal } from "../refusal.ts";
import { bridgePage, hostedInspector } from "./bridge-page.ts";
import { statelyMessages, type StatelyFeedOptions } from "./stately-feed.ts";

export interface StatelyServerOptions extends Pick<StatelyFeedOptions, "eventLog" | "readModel"> {
  /** Every connection must have it, as `?token=` or `Authorization: Bearer`. */
  readonly token?: string;
  /** Brings the read model up to the head of the log; by default the server projects. */
  readonly catchUp?: () => Promise<unknown>;
  /** How many fetches are told of at first, with all that has happened to them. */
  readonly recent?: number;
  /** The inspector that the server's page shows in a frame. Default: Stately's, on stately.ai. */
  readonly inspectorUrl?: string;
  readonly logger?: Logger;
}

const mostConnections = 20;
const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
} as const;

/**
 * A server that speaks the WebSocket protocol of `@statelyai/inspect`, outward: each fetch is an actor, its facts are the
 * actor's events, those of finished and crashed builds too. What is sent to it is not read. Answers this machine alone;
 * let it listen on a loopback address. Its page shows the same in Stately's hosted inspector: then the browser hands every
 * message to that page.
 */
export function createStatelyServer(options: StatelyServerOptions): Server {
  const { eventLog, readModel, token, recent = 50, logger = silentLogger } = options;
  const projector = createProjector({ eventLog, readModel, clock: systemClock, logger });
  const feed = { eventLog, readModel, recent, catchUp: options.catchUp ?? (() => projector.catchUp()) };
  const { html, policy } = bridgePage(options.inspectorUrl ?? hostedInspector);
  // Whether or not there is a token, only this machine may ask, and only under its own names.
  const ofThisMachine = createHostGate({});
  const gate = token === undefined ? ofThisMachine : createGate({ token, allowedHosts: ["localhost"] });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 1024, perMessageDeflate: false });

  const server = createServer((request, response) => {
    try {
      ofThisMachine(request);
      if ((request.url ?? "").split("?")[0] !== "/") throw new Refusal(404, "there is but one page here");
    } catch (error) {
      const { status, message } = refusalOf(error);
      response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${message}\n`);
      return;
    }
    response.writeHead(200, { ...pageHeaders, "content-security-policy": policy }).end(html);
  });
  server.on("upgrade", (request, socket, head) => {
    try {
      ofThisMachine(request);
      gate(withToken(request));
      if (sockets.clients.size >= mostConnections) throw new Refusal(503, "too many inspectors are open");
    } catch (error) {
      refuse(socket, refusalOf(error));
      return;
    }
    sockets.handleUpgrade(request, socket, head, (connection) => void tell(connection));
  });

  async function tell(connection: WebSocket): Promise<void> {
    const gone = new AbortController();
    connection.on("close", () => gone.abort());
    // A frame that is too long, say: the connection is closed by it.
    connection.on("error", () => gone.abort());
    try {
      for await (const messages of statelyMessages(feed, gone.signal)) {
        for (const message of messages) await sent(connection, JSON.stringify(message));
        if (gone.signal.aborted) return;
      }
    } catch (error) {
      if (gone.signal.aborted) return;
      const code = FetchImageError.is(error) ? error.code : "FI_INTERNAL";
      logger.warn("what Stately's inspector is told broke off", { code });
      connection.close(1011, code);
    }
  }

  const close = server.close.bind(server);
  server.close = (callback) => {
    for (const connection of sockets.clients) connection.terminate();
    return close(callback);
  };
  return server;
}

/** Resolves when the message has left the process: a slow reader leaves the rest in the store. */
function sent(connection: WebSocket, text: string): Promise<void> {
  return new Promise((resolve) => {
    if (connection.readyState === connection.OPEN) connection.send(text, () => resolve());
    else resolve();
  });
}

/** A browser's WebSocket cannot send a header. */
function withToken(request: IncomingMessage): IncomingMessage {
  const { searchParams } = new URL(request.url ?? "", "http://localhost");
  const token = searchParams.get("token");
  if (token !== null) request.headers.authorization = `Bearer ${token}`;
  return request;
}

function refusalOf(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal(400, "the request cannot be read");
}

function refuse(socket: Duplex, { status, message }: Refusal): void {
  socket.on("error", () => undefined);
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`, "connection: close", "content-type: text/plain"];
  socket.end(`${head.join("\r\n")}\r\n\r\n${message}\n`);
}
