import type { ChildProcess } from "node:child_process";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { status } from "./status.ts";

const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;

/** The WebSocket side of `pods/exec`: each message's first byte is its channel. */
export class ExecServer {
  readonly #server: WebSocketServer;
  /** The newest first; only version 5 can tell that standard input has ended. */
  protocols: readonly string[] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
  /** For each coming connection, after how many bytes in either direction it is reset. */
  readonly resets: number[] = [];
  /** How long a command takes to begin. */
  slowMs = 0;

  constructor() {
    this.#server = new WebSocketServer({
      noServer: true,
      handleProtocols: (offered) => this.protocols.find((protocol) => offered.has(protocol)) ?? false,
    });
  }

  /** `start` gives the process; undefined where its container is gone meanwhile. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, start: () => ChildProcess | undefined): void {
    const resetAfter = this.resets.shift() ?? Infinity;
    this.#server.handleUpgrade(request, socket, head, (connection) => {
      // Until the command begins, what comes waits in the socket.
      connection.pause();
      setTimeout(() => {
        const child = start();
        if (child === undefined) {
          connection.terminate();
          return;
        }
        bridge(connection, child, resetAfter);
        connection.resume();
      }, this.slowMs);
    });
  }

  stop(): void {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
  }
}

export function refuse(socket: Duplex, code: number, reason: string, message: string, headers = ""): void {
  const body = JSON.stringify(status(code, reason, message));
  socket.end(
    `HTTP/1.1 ${code} ${reason}\r\ncontent-type: application/json\r\n${headers}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function bridge(connection: WebSocket, child: ChildProcess, resetAfter: number): void {
  let room = resetAfter;
  const spend = (bytes: number): boolean => {
    room -= bytes;
    if (room < 0) connection.terminate();
    return room >= 0;
  };
  const send = (to: number, bytes: Buffer): void => {
    if (connection.readyState !== connection.OPEN) return;
    const part = bytes.subarray(0, Math.max(0, room));
    connection.send(Buffer.concat([Buffer.from([to]), part]), () => spend(bytes.length));
  };
  // A kubelet's way to say that the connection stands.
  connection.send(Buffer.from([channel.stdout]));
  connection.on("message", (data: Buffer) => {
    if (data[0] === channel.stdin) {
      child.stdin?.write(data.subarray(1, 1 + Math.max(0, room)));
      spend(data.length - 1);
    } else if (data[0] === channel.close && data[1] === channel.stdin) {
      child.stdin?.end();
    }
  });
  child.stdin?.on("error", () => {});
  child.stdout?.on("data", (bytes: Buffer) => send(channel.stdout, bytes));
  child.stderr?.on("data", (bytes: Buffer) => send(channel.stderr, bytes));
  child.on("error", () => connection.terminate());
  child.on("close", (code, signal) => {
    // Where its container was killed, nobody is left to say how it ended.
    if (signal === "SIGKILL") {
      connection.terminate();
      return;
    }
    const causes = [{ reason: "ExitCode", message: String(code) }];
    const message = `command terminated with non-zero exit code: exit status ${code}`;
    const end = code === 0 ? status(200, "", "") : status(500, "NonZeroExitCode", message, { causes });
    send(channel.status, Buffer.from(JSON.stringify(end)));
    connection.close();
  });
}
