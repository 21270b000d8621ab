import type { buildConnector as connectors, Dispatcher } from "undici";
import type { RegistrySettings } from "../settings.ts";
import type { TrustedRoots } from "./certificates.ts";
import { proxyFor } from "./proxy.ts";
import { proxyAgent } from "./proxy-agent.ts";
import { Agent, buildConnector } from "./undici.ts";

/** Manifests and tokens never queue behind the blobs of a large image: each purpose has connections of its own. */
export type Purpose = "api" | "blob";

export interface Dispatchers {
  for(url: URL, options: { readonly trust: TrustedRoots | undefined; readonly purpose: Purpose }): Dispatcher;
  /** Connection errors of sockets that had carried an answer before. */
  readonly resetAfterUse: WeakSet<object>;
  destroy(): Promise<void>;
}

/** Keep-alive connections, pooled by origin, set of roots, purpose and proxy. */
export function createDispatchers(settings: RegistrySettings): Dispatchers {
  /** The one that was used last stands last. */
  const pools = new Map<string, Dispatcher>();
  let last: { readonly key: string; readonly pool: Dispatcher } | undefined;
  const resetAfterUse = new WeakSet<object>();
  return {
    resetAfterUse,
    for(url, { trust, purpose }) {
      const proxy = proxyFor(url, settings.proxy);
      const key = `${trust?.key ?? ""}\n${purpose}\n${proxy ?? ""}`;
      if (last?.key === key) return last.pool;
      const pool = pools.get(key) ?? open(settings, trust, proxy, resetAfterUse);
      pools.delete(key);
      pools.set(key, pool);
      if (pools.size > maxPools) closeOldest(pools);
      last = { key, pool };
      return pool;
    },
    async destroy() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()));
    },
  };
}

const maxPools = 128;

function open(
  { timeouts, limits }: RegistrySettings,
  trust: TrustedRoots | undefined,
  proxy: string | undefined,
  resetAfterUse: WeakSet<object>,
): Dispatcher {
  const connect = { timeout: timeouts.connectMs, ...(trust ? { secureContext: trust.context } : {}) };
  const pool = {
    connections: limits.connectionsPerOrigin,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.bodyMs,
  };
  if (proxy === undefined) return new Agent({ ...pool, connect: watched(buildConnector(connect), resetAfterUse) });
  return proxyAgent({ ...pool, uri: proxy, requestTls: connect });
}

function watched(connect: connectors.connector, resetAfterUse: WeakSet<object>): connectors.connector {
  return (options, callback) => {
    connect(options, (error, socket) => {
      if (error) return callback(error, null);
      const before = socket.bytesRead;
      socket.on("error", (failure) => {
        if (socket.bytesRead > before) resetAfterUse.add(failure);
      });
      callback(null, socket);
    });
  };
}

// Gracefully: what is in flight there ends by itself.
function closeOldest(pools: Map<string, Dispatcher>): void {
  for (const [key, pool] of pools) {
    pools.delete(key);
    void pool.close().catch(() => {});
    return;
  }
}
