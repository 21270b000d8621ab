import { once } from "node:events";
import type { Socket } from "node:net";

/** The lines that arrive, without their ends. Ends with the connection. */
export async function* lines(socket: Socket): AsyncIterable<string> {
  let rest = "";
  socket.setEncoding("utf8");
  for await (const chunk of socket) {
    const parts = `${rest}${String(chunk)}`.split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

/** Writes one document a line; resolves when the other side keeps up, so that a slow reader holds bounded memory. */
export async function writeLine(socket: Socket, document: unknown): Promise<void> {
  if (socket.destroyed) return;
  if (socket.write(`${JSON.stringify(document)}\n`)) return;
  await Promise.race([once(socket, "drain"), once(socket, "close")]);
}
