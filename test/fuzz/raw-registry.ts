import { createServer, type Socket } from "node:net";
import { listenOnLoopback } from "../support/listen.ts";

export interface RawRequest {
  readonly method: string;
  /** The request target as it was sent. */
  readonly target: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

/** A server that may answer anything at all, also what is no HTTP. */
export interface RawServer extends AsyncDisposable {
  readonly host: string;
  readonly origin: string;
  /** What was asked since it was emptied last. */
  readonly requests: RawRequest[];
}

/** Answers each request with the bytes that `answer` gives, and hangs up. */
export async function startRawServer(answer: (request: RawRequest) => Uint8Array): Promise<RawServer> {
  const requests: RawRequest[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    readRequest(socket, (request) => {
      requests.push(request);
      socket.end(answer(request));
    });
  });
  const { host, origin, close } = await listenOnLoopback(server);
  return { host, origin, requests, [Symbol.asyncDispose]: close };
}

function readRequest(socket: Socket, onRequest: (request: RawRequest) => void): void {
  let head = "";
  const read = (chunk: Buffer): void => {
    head += chunk.toString("latin1");
    if (!head.includes("\r\n\r\n")) return;
    socket.off("data", read);
    const [method = "", target = ""] = (head.split("\r\n", 1)[0] ?? "").split(" ");
    const header = (name: string) => new RegExp(`^${name}: (.*)$`, "im").exec(head)?.[1]?.trim();
    onRequest({ method, target, authorization: header("authorization"), range: header("range") });
  };
  socket.on("data", read);
}

/** An answer as it goes over the wire. The headers are taken as they are. */
export function rawAnswer(status: number, headers: readonly string[], body: Uint8Array | string = ""): Uint8Array {
  const bytes = Buffer.from(body);
  const head = [
    `HTTP/1.1 ${status} Whatever`,
    ...headers,
    `content-length: ${bytes.length}`,
    "connection: close",
    "",
    "",
  ];
  return Buffer.concat([Buffer.from(head.join("\r\n"), "latin1"), bytes]);
}
