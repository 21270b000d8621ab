import type { CancelSignal } from "@fetch-image/core/registry-image";
import { createRequire } from "node:module";
import type * as undici from "undici";
import { reasonOf } from "./deadline.ts";

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

/** The answer to a HEAD. */
export interface Head {
  readonly statusCode: number;
  readonly headers: undici.Dispatcher.ResponseData["headers"];
}

/**
 * A HEAD by the dispatcher given, its connection kept. For an answer without a body undici's `request` makes a stream
 * all the same, which costs more than the rest of the exchange. `signal` ends the waiting wherever the request stands.
 */
export function head(
  dispatcher: undici.Dispatcher,
  url: URL,
  { headers, signal }: { readonly headers: { readonly [name: string]: string }; readonly signal: CancelSignal },
): Promise<Head> {
  return new Promise((resolve, reject) => {
    let exchange: undici.Dispatcher.DispatchController | undefined;
    let answer: Head | undefined;
    const onAbort = (): void => {
      const reason = reasonOf(signal);
      exchange?.abort(reason);
      reject(reason);
    };
    const letGo = (): void => signal.removeEventListener("abort", onAbort);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort);
    const { origin, pathname, search } = url;
    // Without `reset: false` undici closes the connection after every HEAD.
    const asked = { origin, path: `${pathname}${search}`, method: "HEAD", headers, reset: false } as const;
    dispatcher.dispatch(asked, {
      onRequestStart(controller) {
        exchange = controller;
        if (signal.aborted) controller.abort(reasonOf(signal));
      },
      onResponseStart(_, statusCode, given) {
        if (statusCode >= 200) answer = { statusCode, headers: given };
      },
      onResponseEnd() {
        letGo();
        if (answer !== undefined) resolve(answer);
        else reject(new Error("the answer to a HEAD ended before its status"));
      },
      onResponseError(_, error) {
        letGo();
        reject(error);
      },
    });
  });
}

const requestOf: (
  this: undici.Dispatcher,
  options: undici.Dispatcher.RequestOptions,
) => Promise<undici.Dispatcher.ResponseData> = load("undici/lib/api/api-request.js");

/** All of it: what goes through a proxy needs more. */
export function wholeUndici(): typeof undici {
  return load("undici");
}
