import type { IncomingMessage, ServerResponse } from "node:http";
import { FetchImageError, sseEnd } from "@fetch-image/core";
import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { textFrom } from "./log-chunks.ts";
import type { LogSource } from "./log-source.ts";

/** The headers of Concourse's own stream (upstream atc/api/buildserver/eventhandler.go). */
const headers = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-store, must-revalidate",
  "x-accel-buffering": "no",
  "x-atc-stream-version": "2.0",
} as const;

/** A comment, which no reader sees: proxies close connections on which nothing moves. */
const keepAlive = ":\n\n";

/** Connections that are open on streams. */
export class EventStreams {
  readonly #source: LogSource;
  readonly #open = new Set<ServerResponse>();
  readonly #timer: NodeJS.Timeout;

  constructor(source: LogSource, { keepAliveMs }: { readonly keepAliveMs: number }) {
    this.#source = source;
    this.#timer = setInterval(() => {
      // A comment would tell a reader that is behind nothing, and wait in memory.
      for (const response of this.#open) if (!response.writableNeedDrain) response.write(keepAlive);
    }, keepAliveMs);
    this.#timer.unref();
  }

  get open(): number {
    return this.#open.size;
  }

  /**
   * Sends the build's events after `lastId`, what is there and then what comes; behind the end the connection is held
   * until the client closes it. Rejects, with nothing sent, where the build is unknown or cannot be read.
   */
  async serve(
    { request, response, buildId }: { request: IncomingMessage; response: ServerResponse; buildId: string },
    lastId: number,
  ): Promise<void> {
    const gone = new AbortController();
    const leave = (): void => gone.abort();
    response.once("close", leave);
    const chunks = this.#source.chunks(buildId, { fromEvent: lastId + 1, follow: true, signal: gone.signal });
    const first = await chunks.next();
    if (first.done === true) {
      if (gone.signal.aborted) return;
      throw new FetchImageError("FI_BUILD_UNKNOWN", {
        message: `there is no build ${buildId}`,
        details: { build: buildId },
      });
    }
    response.writeHead(200, headers);
    if (request.method === "HEAD") {
      await chunks.return();
      response.end();
      return;
    }
    response.flushHeaders();
    this.#open.add(response);
    try {
      let ended = false;
      let nextId = lastId + 1;
      for (let one: IteratorResult<typeof first.value, void> = first; one.done !== true; one = await chunks.next()) {
        const { from, to } = one.value;
        const whole = nextId <= from.log.nextId;
        const part = whole ? one.value.bytes() : textFrom(one.value, nextId);
        if (part.length > 0 && !response.write(part)) await drained(response, gone.signal);
        // An embedded store answers without a turn of the event loop: a long log must not keep the others waiting.
        await turn();
        nextId = Math.max(nextId, to.log.nextId);
        ended = to.log.ended !== null;
        // It has had the end before: without another it would wait for ever.
        if (ended && nextId > to.log.nextId) response.write(sseEnd(nextId));
      }
      if (ended && !gone.signal.aborted) await once(gone.signal, "abort");
    } catch (error) {
      // Too late to say so in another way: the client sees a broken connection, and comes back.
      response.destroy(error instanceof Error ? error : undefined);
      throw error;
    } finally {
      this.#open.delete(response);
      response.off("close", leave);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    for (const response of this.#open) response.destroy();
  }
}

/** A reader that is slow is waited for, so that what it has not read stays in the store. */
async function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  if (gone.aborted) return;
  await once(response, "drain", { signal: gone }).catch(() => undefined);
}
