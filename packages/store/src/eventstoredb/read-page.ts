import type { ResolvedEvent } from "@eventstore/db-client";
import type { EventFilter, Page, ReadAllOptions, RecordedFact } from "@fetch-image/core/fetching";
import { passes } from "../facts/filter.ts";
import type { Names } from "./names.ts";
import { isAfter, type LogPosition, logPosition, positionText } from "./position.ts";
import { asFact, placeOf } from "./recorded.ts";
import type { News } from "./subscription.ts";

type RecordedEvent = NonNullable<ResolvedEvent["event"]>;

/** The two ways to read the server's log, both to be left at any time. */
export interface LogReader {
  /** At most so many events of all streams, whosever they are, from a position on, inclusive. */
  read(from: LogPosition | undefined, count: number): AsyncIterable<RecordedEvent>;
  /** Events of the streams whose names begin so, after a position, the rest passed over by the server. */
  scan(prefixes: readonly string[], after: LogPosition | undefined): AsyncIterable<News>;
}

const largestWindow = 512;

/**
 * Puts together one page. What is near the end of the log, nearly always all there is to read, is found by a plain read;
 * where that does not do, the server looks for the rest, passing over what is its own or other people's. What one attempt
 * has read, the next does not read again. Rejects at once, with `FI_POSITION_INVALID`, a position that EventStoreDB
 * never gave.
 */
export function readPage(names: Names, { after, filter, limit }: ReadAllOptions): (reader: LogReader) => Promise<Page> {
  const facts: RecordedFact[] = [];
  let at = after === undefined ? undefined : logPosition(after);
  // A log without any fact of ours is empty, whatever else the server holds.
  let isEmpty = after === undefined;
  const page = (end: boolean): Page => ({
    facts,
    next: isEmpty || at === undefined ? after : positionText(at),
    end,
  });
  /** Whether there was room for what came. */
  const take = (event: RecordedEvent): boolean => {
    const place = placeOf(event);
    if (!isAfter(place, at)) return true;
    if (facts.length >= limit) return false;
    const stream = names.fromServer(event.streamId);
    if (stream !== undefined && passes(filter, stream)) facts.push(asFact(event, stream));
    if (stream !== undefined) isEmpty = false;
    at = place;
    return true;
  };
  return async (reader) => {
    // One more than the window: a read from a position gives again what stands there.
    const window = Math.min(limit, largestWindow) + 1;
    let count = 0;
    for await (const event of reader.read(at, window)) {
      count++;
      if (!take(event)) return page(false);
    }
    if (count < window) return page(true);
    // Whether there is any fact of ours is only known from having looked for all of them.
    const prefixes = isEmpty ? names.prefixes(undefined) : searched(names, filter);
    if (prefixes.length === 0) return page(true);
    for await (const news of reader.scan(prefixes, at)) {
      if (news.kind === "caught-up") return page(true);
      if (news.kind === "checkpoint") at = later(news.position, at);
      else if (!take(news.event)) return page(false);
    }
    return page(false);
  };
}

/** A stream's own name as a prefix: a few others may begin with it. */
function searched(names: Names, filter: EventFilter | undefined): readonly string[] {
  return names.prefixes(filter !== undefined && "stream" in filter ? { streamPrefixes: [filter.stream] } : filter);
}

function later(a: LogPosition, b: LogPosition | undefined): LogPosition {
  return b === undefined || isAfter(a, b) ? a : b;
}
