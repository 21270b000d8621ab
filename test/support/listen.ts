import type { Server } from "node:net";

/** Lets a server listen on a free port of loopback; `close` ends it with every connection it has. */
export async function listenOnLoopback(
  server: Server,
): Promise<{ host: string; origin: string; close: () => Promise<void> }> {
  const sockets = new Set<{ destroy(): unknown }>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  const host = `127.0.0.1:${address.port}`;
  return {
    host,
    origin: `http://${host}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
