import { buildStream, type EventLog, type Logger, silentLogger } from "@fetch-image/core";
import { type LogChunk, type LogCursor, renderChunks, startOfLog } from "./log-chunks.ts";
import { LogFeed } from "./log-feed.ts";

export interface LogSource {
  /**
   * A build's stream from the cursor on, chunk by chunk. Ends behind the build's last status, when `signal` aborts, and
   * at once where there is no such build; without `follow` where the facts end. Rejects as the event log does, and where
   * the log cannot be rendered.
   */
  chunks(
    buildId: string,
    options: { readonly from?: LogCursor; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<LogChunk, void>;
  /** How many builds are followed now. */
  readonly following: number;
  close(): void;
}

/** What is read of the store at once, in facts at first, then in bytes of text as the build's facts have it. */
const firstPage = 32;
const pageText = 256 * 1024;
const largestPage = 1024;

/** Builds' logs out of an event log. Whoever follows a build shares one subscription with all others who do. */
export function createLogSource({
  eventLog,
  logger = silentLogger,
}: {
  readonly eventLog: EventLog;
  readonly logger?: Logger;
}): LogSource {
  const feeds = new Map<string, { readonly feed: LogFeed; readonly followers: Set<symbol> }>();

  function join(buildId: string, follower: symbol, cursor: LogCursor): LogFeed {
    const shared = feeds.get(buildId) ?? {
      feed: new LogFeed({ eventLog, logger }, buildId, cursor),
      followers: new Set(),
    };
    feeds.set(buildId, shared);
    shared.followers.add(follower);
    return shared.feed;
  }

  function leave(buildId: string, follower: symbol): void {
    const shared = feeds.get(buildId);
    shared?.followers.delete(follower);
    if (shared?.followers.size !== 0) return;
    shared.feed.close();
    feeds.delete(buildId);
  }

  return {
    async *chunks(buildId, { from = startOfLog, follow, signal }) {
      const stream = buildStream(buildId);
      const follower = Symbol(buildId);
      let cursor = from;
      let limit = firstPage;
      let feed: LogFeed | undefined;
      try {
        while (!signal.aborted && cursor.log.ended === null) {
          const shared = feed?.chunkFrom(cursor.revision);
          if (shared !== undefined) {
            yield shared;
            cursor = shared.to;
            continue;
          }
          if (feed !== undefined && cursor.revision >= feed.head.revision) {
            if (feed.closed) return;
            await feed.changed(signal);
            continue;
          }
          const facts = await eventLog.read(stream, { from: cursor.revision, limit });
          if (facts.length === 0) {
            if (!follow || cursor.revision === 0n) return;
            feed = join(buildId, follower, cursor);
            continue;
          }
          let length = 1;
          for (const chunk of renderChunks(cursor, facts)) {
            length += chunk.text.length;
            yield chunk;
            cursor = chunk.to;
            if (signal.aborted || cursor.log.ended !== null) return;
          }
          limit = Math.max(16, Math.min(largestPage, Math.floor((pageText / length) * facts.length)));
        }
      } finally {
        leave(buildId, follower);
      }
    },
    get following() {
      return feeds.size;
    },
    close() {
      for (const { feed } of feeds.values()) feed.close();
      feeds.clear();
    },
  };
}
