import {
  advanceStream,
  type ConcourseLog,
  decodeBuildFact,
  noLog,
  type Position,
  type RecordedFact,
} from "@fetch-image/core";

/** A place in a build's log, between two facts: small, and enough to render what comes behind it. */
export interface LogCursor {
  readonly log: ConcourseLog;
  /** Of the next fact. */
  readonly revision: bigint;
  /** Of the fact before; undefined at the start. */
  readonly position: Position | undefined;
}

export const startOfLog: LogCursor = { log: noLog, revision: 0n, position: undefined };

/** Some of a build's stream, as it goes over the wire. */
export interface LogChunk {
  readonly from: LogCursor;
  readonly to: LogCursor;
  readonly text: string;
  /** The text in UTF-8, made once for all who are sent it. */
  bytes(): Buffer;
}

/** What a chunk has at most, unless a single fact has more. */
const mostText = 64 * 1024;

/** The facts rendered, in chunks, the last of them where the facts end. Facts that say nothing move the cursor alone. */
export function* renderChunks(from: LogCursor, facts: Iterable<RecordedFact>): Generator<LogChunk, void> {
  let start = from;
  let at = from;
  let text = "";
  for (const recorded of facts) {
    const next = advanceStream(at.log, decodeBuildFact(recorded).fact);
    at = { log: next.log, revision: recorded.revision + 1n, position: recorded.position };
    text += next.text;
    if (text.length < mostText) continue;
    yield chunk(start, at, text);
    [start, text] = [at, ""];
  }
  if (at !== start) yield chunk(start, at, text);
}

/** The part of a chunk's text that begins with the event of this id. */
export function textFrom({ from, to, text }: LogChunk, id: number): string {
  if (id <= from.log.nextId) return text;
  // The end has the id after the last event's.
  if (id > to.log.nextId || (id === to.log.nextId && to.log.ended === null)) return "";
  const frame = `id: ${id}\n`;
  // No line of a frame but its first begins so: what stands in its data has no line breaks.
  return text.slice(text.indexOf(`\n${frame}`) + 1);
}

function chunk(from: LogCursor, to: LogCursor, text: string): LogChunk {
  let bytes: Buffer | undefined;
  return { from, to, text, bytes: () => (bytes ??= Buffer.from(text)) };
}
