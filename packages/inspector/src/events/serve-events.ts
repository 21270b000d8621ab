import type { IncomingMessage, ServerResponse } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import { FetchImageError, sseEnd } from "@fetch-image/core";
import { keepAliveComment, type OpenStreams, untilGone, written } from "../sse.ts";
import { textFrom } from "./log-chunks.ts";
import type { LogSource } from "./log-source.ts";

/** The headers of Concourse's own stream (upstream atc/api/buildserver/eventhandler.go). */
const headers = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-store, must-revalidate",
  "x-accel-buffering": "no",
  "x-atc-stream-version": "2.0",
} as const;

interface EventsQuestion {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly buildId: string;
  /** −1 where nothing was read before. */
  readonly lastId: number;
}

/**
 * Sends the build's events after `lastId`, what is there and then what comes; behind the end the connection is held
 * until the client closes it. Rejects, with nothing sent, where the build is unknown or cannot be read.
 */
export async function serveEvents(
  { request, response, buildId, lastId }: EventsQuestion,
  { source, streams }: { readonly source: LogSource; readonly streams: OpenStreams },
): Promise<void> {
  const keepAlive = (): void => void response.write(keepAliveComment);
  await streams.serve({ request, response }, keepAlive, async (gone) => {
    const chunks = source.chunks(buildId, { fromEvent: lastId + 1, follow: true, signal: gone });
    const first = await chunks.next();
    if (first.done === true) {
      if (gone.aborted) return;
      throw new FetchImageError("FI_BUILD_UNKNOWN", {
        message: `there is no build ${buildId}`,
        details: { build: buildId },
      });
    }
    response.writeHead(200, headers);
    if (request.method === "HEAD") {
      await chunks.return();
      return;
    }
    response.flushHeaders();
    let ended = false;
    let nextId = lastId + 1;
    for (let one: IteratorResult<typeof first.value, void> = first; one.done !== true; one = await chunks.next()) {
      const { from, to } = one.value;
      const whole = nextId <= from.log.nextId;
      const part = whole ? one.value.bytes() : textFrom(one.value, nextId);
      if (part.length > 0) await written(response, part, gone);
      // An embedded store answers without a turn of the event loop: a long log must not keep the others waiting.
      await turn();
      nextId = Math.max(nextId, to.log.nextId);
      ended = to.log.ended !== null;
      // It has had the end before: without another it would wait for ever.
      if (ended && nextId > to.log.nextId) response.write(sseEnd(nextId));
    }
    if (ended) await untilGone(gone);
  });
}
