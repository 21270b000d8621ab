import type { Dispatcher, Pool, ProxyAgent } from "undici";
import { wholeUndici } from "./undici.ts";

/** The code of the error that stands for a proxy's refusal to open a tunnel. */
export const proxyRefusal = "EPROXYREFUSED";

/** Connections through an HTTP proxy: tunnels for https, absolute form for http. */
export function proxyAgent(options: ProxyAgent.Options): Dispatcher {
  const undici = wholeUndici();
  const TunnelPool = tunnelPool(undici.Pool);
  return new undici.ProxyAgent({
    ...options,
    // Proxies seldom allow tunnels to other ports than 443.
    proxyTunnel: false,
    clientFactory: (origin, poolOptions) => new TunnelPool(origin, poolOptions),
  });
}

/**
 * Opens tunnels. undici takes a dropped connection for one that is worth opening again, without end and without pause,
 * so a proxy that drops CONNECT would be hammered for ever; and it keeps refusals by status under a code that also
 * means an abort. Here both become one final error.
 */
function tunnelPool(Base: typeof Pool): typeof Pool {
  return class TunnelPool extends Base {
    override connect(options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData>;
    override connect(
      options: Dispatcher.ConnectOptions,
      callback: (error: Error | null, data: Dispatcher.ConnectData) => void,
    ): void;
    override connect(
      options: Dispatcher.ConnectOptions,
      callback?: (error: Error | null, data: Dispatcher.ConnectData) => void,
    ): Promise<Dispatcher.ConnectData> | void {
      return callback ? super.connect(options, callback) : this.#open(options);
    }

    async #open(options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData> {
      let opened: Dispatcher.ConnectData;
      try {
        opened = await super.connect(options);
      } catch (cause) {
        throw refusal("the proxy closed the connection", cause);
      }
      if (opened.statusCode === 200) return opened;
      opened.socket.on("error", () => {}).destroy();
      throw refusal(`the proxy answered ${opened.statusCode} to CONNECT`);
    }
  };
}

function refusal(message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code: proxyRefusal });
}
