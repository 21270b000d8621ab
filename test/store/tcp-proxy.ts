import { connect, createServer, type Socket } from "node:net";

/** Stands between a client and a server, and fails as it is told. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** What happens to bytes of the server from now on: passed on, kept back for ever, or answered by a cut connection. */
  answers: "pass" | "keep" | "cut";
  /** Cuts every connection there is. */
  cut(): void;
}

export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (chunk) => upstream.write(chunk));
    upstream.on("data", (chunk) => {
      if (proxy.answers === "pass") client.write(chunk);
      else if (proxy.answers === "cut") client.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const proxy: TcpProxy = {
    port: typeof address === "object" && address !== null ? address.port : 0,
    answers: "pass",
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      proxy.cut();
      await closed;
    },
  };
  return proxy;
}
