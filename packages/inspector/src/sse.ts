import type { IncomingMessage, ServerResponse } from "node:http";
import { once } from "node:events";
import { Refusal } from "./refusal.ts";

export const streamHeaders = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
  "x-content-type-options": "nosniff",
} as const;

/** A comment, which no reader sees: proxies close connections on which nothing moves. */
export const keepAliveComment = ":\n\n";

/** Says how soon a reader whose connection broke comes back. */
export const retrySoon = "retry: 1000\n\n";

/** Connections that are open on streams, each with what it is sent where nothing moves, unless it is behind. */
export class OpenStreams {
  readonly #most: number;
  readonly #open = new Map<ServerResponse, () => void>();
  readonly #timer: NodeJS.Timeout;

  constructor({ keepAliveMs, most }: { readonly keepAliveMs: number; readonly most: number }) {
    this.#most = most;
    this.#timer = setInterval(() => {
      for (const [response, keepAlive] of this.#open) if (!response.writableNeedDrain) keepAlive();
    }, keepAliveMs);
    this.#timer.unref();
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Serves a stream until the reader goes, `stream` has ended, or all are closed. Where it fails before its headers are
   * sent it rejects; later the connection is broken first, since it is too late to say so in another way.
   */
  async serve(
    { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
    keepAlive: () => void,
    stream: (gone: AbortSignal) => Promise<void>,
  ): Promise<void> {
    if (this.#open.size >= this.#most) throw new Refusal(503, "too many streams are open", { "retry-after": "1" });
    const gone = new AbortController();
    const leave = (): void => gone.abort();
    response.once("close", leave);
    this.#open.set(response, () => {
      if (response.headersSent && request.method !== "HEAD") keepAlive();
    });
    try {
      await stream(gone.signal);
      response.end();
    } catch (error) {
      if (response.headersSent) response.destroy();
      throw error;
    } finally {
      this.#open.delete(response);
      response.off("close", leave);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    for (const response of this.#open.keys()) response.destroy();
  }
}

/** Writes; where the reader is slow, resolves once it has read, so that the rest stays in the store. */
export async function written(response: ServerResponse, text: string | Uint8Array, gone: AbortSignal): Promise<void> {
  if (gone.aborted || response.write(text)) return;
  await once(response, "drain", { signal: gone }).catch(() => undefined);
}

/** Resolves when the reader is gone. */
export async function untilGone(gone: AbortSignal): Promise<void> {
  if (!gone.aborted) await once(gone, "abort");
}
