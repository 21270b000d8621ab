import type { Readable } from "node:stream";
import { type CancelSignal, silentLogger } from "@fetch-image/core/registry-image";
import type { Dispatcher } from "undici";
import type { RegistrySettings } from "../settings.ts";
import type { TrustedRoots } from "./certificates.ts";
import { aborted, unlessAborted } from "./deadline.ts";
import { createDispatchers, type Purpose } from "./dispatchers.ts";
import { isStaleSocket, transportFailure } from "./failure.ts";
import { contentLengthOf, type Headers } from "./headers.ts";
import type { Secrets } from "./redact.ts";
import { tooLarge } from "./refusal.ts";
import { head, type Head, request } from "./undici.ts";

/** Registries are read with the first two and pushed to with all; who gives out logins may want the third. */
export type Method = "HEAD" | "GET" | "POST" | "PUT" | "PATCH";

/** A stream is made for each time that the request is sent. */
export type RequestBody = string | Uint8Array | (() => Readable);

interface Question<M extends Method> {
  readonly method: M;
  readonly url: URL;
  readonly headers: { readonly [name: string]: string };
  readonly body?: RequestBody | undefined;
  readonly trust: TrustedRoots | undefined;
  readonly purpose: Purpose;
  readonly signal: CancelSignal;
  readonly secrets: Secrets;
}

export interface Answer<M extends Method = "HEAD" | "GET"> {
  readonly method: M;
  readonly url: URL;
  readonly status: number;
  readonly headers: Headers;
  /** Reads the whole body, at most `maxBytes` of it, else rejects with `FI_ANSWER_TOO_LARGE`. */
  bytes(maxBytes: number, what: string): Promise<Buffer>;
  /** The first `maxBytes` of the body, whatever follows; never rejects. For quoting from errors. */
  start(maxBytes: number): Promise<string>;
  /** The body as it comes. Leaving the loop early ends the connection. */
  chunks(): AsyncGenerator<Uint8Array, void, undefined>;
  /** Lets go of the body. */
  discard(): Promise<void>;
}

export interface Transport {
  /** One HTTP exchange: no redirects, no login, no retry but one on a connection that went stale while idle. */
  send<M extends Method>(question: Question<M>): Promise<Answer<M>>;
  /** Ends what is in flight with `FI_ABORTED`. */
  close(): Promise<void>;
}

export function createTransport(settings: RegistrySettings): Transport {
  const dispatchers = createDispatchers(settings);
  let closed = false;
  return {
    async send(question) {
      if (closed) throw aborted(new Error("the registry client is closed"));
      // Nobody listens, as a rule, and to cut secrets out of what nobody reads costs as much as the request.
      const started = settings.logger === silentLogger ? undefined : performance.now();
      let answer: Received;
      try {
        answer = await dispatch(question);
      } catch (error) {
        answer = await dispatchAgain(question, error);
      }
      if (started !== undefined) told(question, answer.statusCode, started);
      return new ReadAnswer(question, answer);
    },
    async close() {
      closed = true;
      await dispatchers.destroy();
    },
  };

  function told({ method, secrets, url }: Question<Method>, status: number, started: number): void {
    settings.logger.debug("registry answered", {
      method,
      host: secrets.redact(url.host),
      path: secrets.redact(url.pathname),
      status,
      ms: Math.round(performance.now() - started),
    });
  }

  async function dispatchAgain(question: Question<Method>, error: unknown): Promise<Received> {
    // The server closed the idle connection in the instant we used it: it has not seen the request.
    if (!isStaleSocket(error, dispatchers.resetAfterUse) || question.signal.aborted) throw failure(error, question);
    try {
      return await dispatch(question);
    } catch (again) {
      throw failure(again, question);
    }
  }

  function dispatch(question: Question<Method>): Promise<Received> {
    const { method, url, trust, purpose, signal } = question;
    const dispatcher = dispatchers.for(url, { trust, purpose });
    const headers = { "user-agent": settings.userAgent, ...question.headers };
    if (method === "HEAD") return head(dispatcher, url, { headers, signal });
    return withBody(question, dispatcher, headers);
  }

  async function withBody(
    { method, url, body, signal }: Question<Method>,
    dispatcher: Dispatcher,
    headers: { readonly [name: string]: string },
  ): Promise<Received> {
    const content = typeof body === "function" ? body() : body;
    const answer = request(dispatcher, url, { method, headers, body: content ?? null, signal });
    try {
      // The client looks at the signal only once a connection stands, and waits for a free one as long as it takes.
      return await unlessAborted(answer, signal);
    } catch (error) {
      void answer.then(({ body }) => body.on("error", () => {}).destroy()).catch(() => {});
      throw error;
    }
  }
}

const nothing = Promise.resolve();

/** An answer as it came; the one to a HEAD has no body. */
type Received = Head & { readonly body?: Dispatcher.ResponseData["body"] };

class ReadAnswer<M extends Method> implements Answer<M> {
  readonly method: M;
  readonly url: URL;
  readonly status: number;
  readonly headers: Headers;
  readonly #body: Received["body"];
  readonly #question: Question<M>;

  constructor(question: Question<M>, { statusCode, headers, body }: Received) {
    this.method = question.method;
    this.url = question.url;
    this.status = statusCode;
    this.headers = headers;
    this.#body = body;
    this.#question = question;
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#body === undefined) return;
    try {
      const bytes: AsyncIterable<Uint8Array> = this.#body;
      for await (const chunk of bytes) yield chunk;
    } catch (error) {
      throw failure(error, this.#question);
    }
  }

  async bytes(maxBytes: number, what: string): Promise<Buffer> {
    if ((contentLengthOf(this.headers) ?? 0) > maxBytes) {
      await this.discard();
      throw tooLarge(this.url.host, what, maxBytes);
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of this.chunks()) {
      length += chunk.length;
      if (length > maxBytes) throw tooLarge(this.url.host, what, maxBytes);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  async start(maxBytes: number): Promise<string> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    try {
      for await (const chunk of this.chunks()) {
        chunks.push(chunk);
        length += chunk.length;
        if (length >= maxBytes) break;
      }
    } catch {
      // What came before the failure is still worth quoting.
    }
    return Buffer.concat(chunks).toString("utf8", 0, Math.min(length, maxBytes));
  }

  discard(): Promise<void> {
    // undici looks at nothing else of a signal.
    const signal = this.#question.signal as AbortSignal;
    return this.#body?.dump({ limit: 16 * 1024, signal }).catch(() => {}) ?? nothing;
  }
}

function failure(error: unknown, { url, signal, secrets }: Question<Method>): unknown {
  return transportFailure(error, { host: url.host, signal, secrets });
}
