import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIPv6 } from "node:net";
import { FetchImageError } from "@fetch-image/core";
import type { StatelyServerOptions } from "@fetch-image/inspector/stately";
import type { Command } from "../command.ts";
import type { EffectiveSettings } from "../effective-settings.ts";
import { openProjector, openStores } from "../open-stores.ts";
import { exitStatus } from "../exit-status.ts";
import { serveSettings, storeSettings } from "../setting-groups.ts";

export const command: Command = {
  usage: "[--address ADDRESS] [--port PORT] [--token TEXT]",
  about: `Serves the inspector: a page on which every fetch is seen in its state machine, live and back in time. Beside it,
builds' logs as Concourse's own API has them, live and rebuilt: \`fly watch\` and the build's page of the web UI read them.
The audit's answers are JSON below /api/v1/fetch-image/. Reads only, and works beside a running \`fetch-image run\`. Only
this machine is answered, unless there is a token. Ends when it is interrupted.`,
  positionals: { min: 0, max: 0 },
  options: [
    {
      name: "concourse-version",
      value: "VERSION",
      does: "what to be taken for: fly wants its own, the patch aside (default 8.2.5)",
    },
    { name: "stately", does: "speak the protocol of Stately's inspector, too, on a port of its own" },
  ],
  settings: [...serveSettings, ...storeSettings],
  examples: [
    "fetch-image serve",
    "fetch-image serve --stately",
    'fetch-image serve --address 0.0.0.0 --port 8443 --token "$(cat token)"',
  ],
  async run({ options, settings, terminal, logger, signal }) {
    const { address, port, token, allowedHosts } = settings.values;
    const { createInspector, isLoopback } = await import("@fetch-image/inspector");
    if (token === undefined && !isLoopback(address)) {
      throw new FetchImageError("FI_USAGE", {
        message: `${address} is not this machine's own loopback, and there is no token`,
        hint: "Give --token, or FETCH_IMAGE_TOKEN; or listen on 127.0.0.1.",
      });
    }
    const concourseVersion = versionOf(options.text("concourse-version"));
    await using stores = await openStores(settings, { access: "read", makes: true, logger });
    const { eventLog, readModel } = stores;
    const { createAudit } = await import("@fetch-image/engine");
    const projector = await openProjector(stores, logger);
    const catchUp = (): Promise<unknown> => projector.catchUp();
    const inspector = createInspector({
      eventLog,
      readModel,
      audit: createAudit({ readModel, where: stores.where }),
      catchUp,
      logger,
      allowedHosts: [...allowedHosts, hostOf(address)],
      ...(token === undefined ? {} : { token }),
      ...(token !== undefined && allowedHosts.length === 0 ? { allowedHosts: [] } : {}),
      ...(concourseVersion === undefined ? {} : { concourseVersion }),
    });
    const server = createServer((request, response) => void answer(request, response));
    async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
      if (!(await inspector.handle(request, response))) response.writeHead(404).end();
    }
    const at = await listen(server, { address, port }, "--port");
    const stately = options.on("stately")
      ? await listenForStately(settings, { eventLog, readModel, catchUp, logger })
      : undefined;
    terminal.err(`serving ${stores.where} on ${urlOf(address, at)}\n`);
    if (stately !== undefined) terminal.err(`telling Stately's inspector on ${urlOf("127.0.0.1", stately.port)}\n`);
    await interrupted(signal);
    inspector.close();
    await Promise.all([server, stately?.server].map(close));
    return exitStatus.interrupted;
  },
};

async function listenForStately(
  { values: { statelyPort, token } }: EffectiveSettings,
  options: StatelyServerOptions,
): Promise<{ readonly server: Server; readonly port: number }> {
  const { createStatelyServer } = await import("@fetch-image/inspector/stately");
  const server = createStatelyServer({ ...options, ...(token === undefined ? {} : { token }) });
  // Whatever the address: who may look on from elsewhere has the inspector's own page.
  return { server, port: await listen(server, { address: "127.0.0.1", port: statelyPort }, "--stately-port") };
}

async function close(server: Server | undefined): Promise<void> {
  if (server === undefined) return;
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

function listen(
  server: Server,
  { address, port }: { readonly address: string; readonly port: number },
  flag: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        new FetchImageError("FI_USAGE", {
          message: `cannot listen on ${hostOf(address)}:${port}: ${error.code ?? error.message}`,
          hint: `Choose another ${flag}; 0 takes a free one.`,
        }),
      );
    });
    server.listen(port, address, () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : port);
    });
  });
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}

/** As a URL has it. */
function hostOf(address: string): string {
  return isIPv6(address) ? `[${address}]` : address;
}

/** To be opened: where every address is listened on, by the one that leads to this machine. */
function urlOf(address: string, port: number): string {
  const host = address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
  return `http://${hostOf(host)}:${port}/`;
}

function versionOf(text: string | undefined): string | undefined {
  if (text === undefined || /^\d+\.\d+\.\d+$/.test(text)) return text;
  throw new FetchImageError("FI_USAGE", { message: "--concourse-version must be like 8.2.5" });
}
