import type { IncomingMessage, ServerResponse } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import type { EventLog, JsonObject, Position, RecordedFact } from "@fetch-image/core";
import { assertReading, jsonHeaders, lastEventId } from "../http.ts";
import { keepAliveComment, type OpenStreams, retrySoon, streamHeaders, untilGone, written } from "../sse.ts";

export interface FactsQuestion {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly stream: string;
  /** What the file is called that a browser saves. */
  readonly fileName: string;
  /** Only so many of the stream's last facts. */
  readonly newest?: number;
  /** The answer where there is no such stream. */
  readonly unknown: () => Error;
}

const pageSize = 256;

/** A fact as it goes over the wire and into files: what is stored, as it is stored. */
export function factJson({ id, stream, revision, position, type, data, metadata }: RecordedFact): JsonObject {
  return { id, stream, revision: Number(revision), position, type, data, metadata };
}

/**
 * A stream's facts. As server-sent events: what is there, `caught-up`, and then what comes; `Last-Event-ID` is the revision
 * behind which to go on. Or, where the request accepts `application/x-ndjson`, one a line up to where the stream ends now.
 */
export async function serveFacts(
  { eventLog, streams }: { readonly eventLog: EventLog; readonly streams: OpenStreams },
  question: FactsQuestion,
): Promise<void> {
  const { request, response, stream, newest, unknown } = question;
  assertReading(request);
  const lines = (request.headers.accept ?? "").includes("application/x-ndjson");
  const last = lines ? undefined : lastEventId(request);
  const head = (await eventLog.read(stream, { direction: "backwards", limit: 1 }))[0]?.revision;
  if (head === undefined) throw unknown();
  const oldest = newest === undefined || head < BigInt(newest) ? 0n : head - BigInt(newest) + 1n;
  const next = last === undefined || last > head ? 0n : last + 1n;
  // What stands before it tells where to go on, where nothing has come since.
  const from = next > oldest ? next - 1n : oldest;
  const headers = lines ? ndjsonHeaders(question.fileName) : streamHeaders;
  await streams.serve(
    question,
    () => {
      if (!lines) response.write(keepAliveComment);
    },
    async (gone) => {
      response.writeHead(200, headers);
      if (request.method === "HEAD") return;
      response.flushHeaders();
      if (!lines) response.write(retrySoon);
      let position: Position | undefined;
      let sent = next;
      const send = (fact: RecordedFact): string => {
        position = fact.position;
        if (fact.revision < sent) return "";
        sent = fact.revision + 1n;
        return lines ? `${JSON.stringify(factJson(fact))}\n` : frame(fact);
      };
      let at = from;
      for (;;) {
        const facts = await eventLog.read(stream, { from: at, limit: pageSize });
        await written(response, facts.map(send).join(""), gone);
        if (gone.aborted) return;
        at = (facts.at(-1)?.revision ?? at) + 1n;
        // An embedded store answers without a turn of the event loop: a long stream must not keep the others waiting.
        await turn();
        if (facts.length < pageSize || (lines && at > head)) break;
      }
      if (lines) return;
      const after = position === undefined ? {} : { after: position };
      for await (const message of eventLog.subscribe({ ...after, filter: { stream }, signal: gone })) {
        const text = message.kind === "fact" ? send(message.fact) : caughtUp;
        if (text !== "") await written(response, text, gone);
      }
      await untilGone(gone);
    },
  );
}

const caughtUp = "event: caught-up\ndata: {}\n\n";

function frame(fact: RecordedFact): string {
  return `id: ${fact.revision}\ndata: ${JSON.stringify(factJson(fact))}\n\n`;
}

function ndjsonHeaders(fileName: string): { readonly [name: string]: string } {
  const plain = fileName.replaceAll(/[^\w.-]/g, "_").slice(0, 100);
  return {
    ...jsonHeaders,
    "content-type": "application/x-ndjson",
    "content-disposition": `attachment; filename="${plain}"`,
  };
}
