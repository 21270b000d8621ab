import { connect, createServer } from "node:net";
import { readFileSync, writeFileSync } from "node:fs";
import { listenOnLoopback } from "../listen.ts";

/** A way to the API server that can be cut for ever: what a process that died leaves to the cluster. */
export interface Relay extends AsyncDisposable {
  /** A kubeconfig that leads through it. */
  readonly kubeconfig: string;
  cut(): Promise<void>;
}

export async function startRelay(kubeconfig: string): Promise<Relay> {
  const config = readFileSync(kubeconfig, "utf8");
  const [, port = ""] = /"server":"https:\/\/127\.0\.0\.1:(\d+)"/.exec(config) ?? [];
  const server = createServer((client) => {
    const upstream = connect(Number(port), "127.0.0.1");
    client.pipe(upstream).pipe(client);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  const { host, close } = await listenOnLoopback(server);
  const own = `${kubeconfig}-${host.split(":")[1]}`;
  writeFileSync(own, config.replace(`127.0.0.1:${port}`, host));
  return { kubeconfig: own, cut: close, [Symbol.asyncDispose]: () => close().catch(() => {}) };
}
