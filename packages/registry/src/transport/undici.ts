import { createRequire } from "node:module";
import type * as undici from "undici";

// undici's main entry loads fetch, WebSocket, mocks and caches besides: most of the time that a check takes to start.
// These are the files that it takes its own Agent and request from.
const load = createRequire(import.meta.url);

export const Agent: typeof undici.Agent = load("undici/lib/dispatcher/agent.js");
export const buildConnector: typeof undici.buildConnector = load("undici/lib/core/connect.js");

/** As undici's `request`, by the dispatcher given. */
export function request(
  dispatcher: undici.Dispatcher,
  url: URL,
  options: Omit<undici.Dispatcher.RequestOptions, "origin" | "path">,
): Promise<undici.Dispatcher.ResponseData> {
  return requestOf.call(dispatcher, { ...options, origin: url.origin, path: `${url.pathname}${url.search}` });
}

const requestOf: (
  this: undici.Dispatcher,
  options: undici.Dispatcher.RequestOptions,
) => Promise<undici.Dispatcher.ResponseData> = load("undici/lib/api/api-request.js");

/** All of it: what goes through a proxy needs more. */
export function wholeUndici(): typeof undici {
  return load("undici");
}
