import { type CancelSignal, type Clock, FetchImageError, type Logger } from "@fetch-image/core";
import { ApiException, type ConfigurationOptions, CoreV1Api, Observable } from "@kubernetes/client-node";
import type { Cluster } from "./cluster.ts";
import { following, pause, throwIfAborted } from "./waiting.ts";

/** How often, and how long, an API server is asked that is busy or away. */
export interface KubeRetry {
  /** Attempts in all. Default: 6. */
  readonly attempts: number;
  /** The pause before the second attempt; each one after it is twice as long. Default: 500. */
  readonly baseMs: number;
  /** The longest pause, a `Retry-After` of the server's included. Default: 15 seconds. */
  readonly capMs: number;
  /** How long one answer may take. Default: 30 seconds. */
  readonly timeoutMs: number;
}

export const defaultKubeRetry: KubeRetry = { attempts: 6, baseMs: 500, capMs: 15_000, timeoutMs: 30_000 };

export interface KubeApiOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly retry: KubeRetry;
}

type Call<T> = (api: CoreV1Api, options: ConfigurationOptions) => Promise<T>;

/** The API server, asked until it answers: 429 and 5xx, and connections that break, are tried again within bounds. */
export class KubeApi {
  readonly cluster: Cluster;
  readonly #options: KubeApiOptions;
  readonly #api: CoreV1Api;

  constructor(options: KubeApiOptions) {
    this.cluster = options.cluster;
    this.#options = options;
    this.#api = options.cluster.kubeConfig.makeApiClient(CoreV1Api);
  }

  /**
   * `what` is done, in words for messages: `create pod x`. It must be safe to repeat: an answer may be lost on its way.
   * Rejects with `FI_KUBERNETES_UNAVAILABLE`, or `FI_KUBERNETES_REFUSED` with the server's words and `details.status`.
   */
  async ask<T>(what: string, call: Call<T>, { signal }: { readonly signal: CancelSignal }): Promise<T> {
    return this.retried(what, async () => await this.#once(call, signal), { signal });
  }

  /** Runs `attempt` until it succeeds or fails with what no repetition helps; the errors as of {@link ask}. */
  async retried<T>(what: string, attempt: () => Promise<T>, { signal }: { readonly signal: CancelSignal }): Promise<T> {
    const { clock, logger, retry } = this.#options;
    for (let count = 1; ; count++) {
      throwIfAborted(signal);
      try {
        return await attempt();
      } catch (cause) {
        throwIfAborted(signal);
        const answer = answerOf(cause);
        if (!answer.again) throw this.#refused(what, answer);
        if (count >= retry.attempts) throw this.#unavailable(what, answer, count);
        const ms = Math.min(retry.capMs, answer.afterMs ?? retry.baseMs * 2 ** (count - 1));
        logger.debug("the Kubernetes API is asked again", { what, attempt: count, ms, why: answer.words });
        await pause(clock, ms, signal);
      }
    }
  }

  async #once<T>(call: Call<T>, signal: CancelSignal): Promise<T> {
    const { clock, retry } = this.#options;
    const { controller, end } = following(signal);
    const cancel = clock.after(retry.timeoutMs, () => {
      controller.abort();
    });
    try {
      return await call(this.#api, {
        middleware: [
          {
            pre(request) {
              request.setSignal(controller.signal);
              return new Observable(Promise.resolve(request));
            },
            post: (response) => new Observable(Promise.resolve(response)),
          },
        ],
        middlewareMergeStrategy: "append",
      });
    } finally {
      cancel();
      end();
    }
  }

  #refused(what: string, { status, words }: Answer): FetchImageError {
    const { server } = this.cluster.kubeConfig.getCurrentCluster() ?? { server: "the API server" };
    return new FetchImageError("FI_KUBERNETES_REFUSED", {
      message: `cannot ${what} in namespace ${this.cluster.namespace}: ${server} answered ${status ?? "no status"}: ${words}`,
      ...(status === 401 || status === 403 ? { hint: grantHint } : {}),
      details: { namespace: this.cluster.namespace, status },
    });
  }

  #unavailable(what: string, { status, words }: Answer, attempts: number): FetchImageError {
    return new FetchImageError("FI_KUBERNETES_UNAVAILABLE", {
      message: `cannot ${what}: the Kubernetes API did not answer in ${attempts} attempts: ${words}`,
      details: { namespace: this.cluster.namespace, status },
    });
  }
}

/** Whether the error is the API server's refusal with this status. */
export function isRefusal(error: unknown, status: number): error is FetchImageError {
  return FetchImageError.is(error) && error.code === "FI_KUBERNETES_REFUSED" && error.details["status"] === status;
}

/** An answer that is no success, to a request that the client library does not make: an upgrade to a WebSocket. */
export class KubeAnswer extends Error {
  readonly status: number;
  readonly body: string;
  readonly headers: { readonly [name: string]: string | undefined };

  constructor(status: number, body: string, headers: { readonly [name: string]: string | undefined }) {
    super(body);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

interface Answer {
  readonly status?: number;
  readonly words: string;
  /** Whether the same may succeed a moment later. */
  readonly again: boolean;
  readonly afterMs?: number;
}

function answerOf(error: unknown): Answer {
  if (error instanceof ApiException || error instanceof KubeAnswer) {
    const status = error instanceof ApiException ? error.code : error.status;
    const after = Number(error.headers["retry-after"]);
    return {
      status,
      words: wordsOf(error.body),
      again: status === 429 || status >= 500,
      ...(Number.isFinite(after) && after > 0 ? { afterMs: after * 1000 } : {}),
    };
  }
  // A connection that broke, or an answer that was waited for too long.
  const cause = error instanceof Error ? error : new Error(String(error));
  const words = cause.name === "AbortError" ? "no answer in time" : cause.message;
  return { words, again: true };
}

/** Of a `Status` object, as text or as read; else the text's beginning. */
function wordsOf(body: unknown): string {
  if (typeof body === "object" && body !== null && "message" in body) return String(body.message);
  const text = typeof body === "string" ? body : JSON.stringify(body ?? "");
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read === "object" && read !== null && "message" in read) return String(read.message);
  } catch {
    // It was never meant for us: a proxy's page, say.
  }
  return text.trim().slice(0, 300) || "no words";
}

const grantHint = "Grant the verb to the service account: docs/guides/kubernetes.md has the role.";
