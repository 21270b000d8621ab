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
    if (signal.aborted) return reject(reasonOf(signal));
    const { origin, pathname, search } = url;
    // Without `reset: false` undici closes the connection after every HEAD.
    const asked = { origin, path: `${pathname}${search}`, method: "HEAD", headers, reset: false } as const;
    dispatcher.dispatch(asked, new HeadExchange(signal, resolve, reject));
  });
}

class HeadExchange implements undici.Dispatcher.DispatchHandler {
  readonly #signal: CancelSignal;
  readonly #resolve: (answer: Head) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onAbort: () => void;
  #controller: undici.Dispatcher.DispatchController | undefined;
  #answer: Head | undefined;

  constructor(signal: CancelSignal, resolve: (answer: Head) => void, reject: (error: unknown) => void) {
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    const onAbort = () => {
      const reason = reasonOf(signal);
      this.#controller?.abort(reason);
      reject(reason);
    };
    this.#onAbort = onAbort;
    signal.addEventListener("abort", onAbort);
  }

  onRequestStart(controller: undici.Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#signal.aborted) controller.abort(reasonOf(this.#signal));
  }

  onResponseStart(
    _controller: undici.Dispatcher.DispatchController,
    statusCode: number,
    headers: Head["headers"],
  ): void {
    if (statusCode >= 200) this.#answer = { statusCode, headers };
  }

  onResponseEnd(): void {
    this.#letGo();
    if (this.#answer !== undefined) this.#resolve(this.#answer);
    else this.#reject(new Error("the answer to a HEAD ended before its status"));
  }

  onResponseError(_controller: undici.Dispatcher.DispatchController, error: Error): void {
    this.#letGo();
    this.#reject(error);
  }

  #letGo(): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
  }
}

const requestOf: (
  this: undici.Dispatcher,
  options: undici.Dispatcher.RequestOptions,
) => Promise<undici.Dispatcher.ResponseData> = load("undici/lib/api/api-request.js");

/** All of it: what goes through a proxy needs more. */
export function wholeUndici(): typeof undici {
  return load("undici");
}
