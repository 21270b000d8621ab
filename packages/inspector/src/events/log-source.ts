import { buildStream, type EventLog, type Logger, silentLogger } from "@fetch-image/core";
import { LogCheckpoints } from "./log-checkpoints.ts";
import { type LogChunk, type LogCursor, startOfLog } from "./log-chunks.ts";
import { LogFeed } from "./log-feed.ts";
import { firstPage, LogPages } from "./log-pages.ts";

export interface LogSource {
  /**
   * A build's stream, chunk by chunk, from its start, or from some place at or before the event of the id `fromEvent`. Ends
   * behind the build's last status, when `signal` aborts, and at once where there is no such build; without `follow` where
   * the facts end. Rejects as the event log does, and where the log cannot be rendered.
   */
  chunks(
    buildId: string,
    options: { readonly fromEvent?: number; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<LogChunk, void>;
  /** How many builds are followed now. */
  readonly following: number;
  close(): void;
}

/** Builds' logs out of an event log. Whoever follows a build shares one subscription with all others who do. */
export function createLogSource({
  eventLog,
  logger = silentLogger,
}: {
  readonly eventLog: EventLog;
  readonly logger?: Logger;
}): LogSource {
  const feeds = new Map<string, { readonly feed: LogFeed; readonly followers: Set<symbol> }>();
  const pages = new LogPages(eventLog);
  const checkpoints = new LogCheckpoints();

  /** A place that was rendered before, where its facts still stand. */
  async function startAt(buildId: string, event: number): Promise<LogCursor> {
    const checkpoint = checkpoints.before(buildId, event);
    if (checkpoint === undefined) return startOfLog;
    const [before] = await eventLog.read(buildStream(buildId), { from: checkpoint.revision - 1n, limit: 1 });
    if (before?.position === checkpoint.position) return checkpoint;
    checkpoints.drop(buildId);
    return startOfLog;
  }

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
    async *chunks(buildId, { fromEvent = 0, follow, signal }) {
      const follower = Symbol(buildId);
      let cursor = await startAt(buildId, fromEvent);
      let limit = firstPage;
      let feed: LogFeed | undefined;
      const pass = (chunk: LogChunk): LogChunk => {
        checkpoints.note(buildId, chunk.from);
        cursor = chunk.to;
        return chunk;
      };
      try {
        while (!signal.aborted && cursor.log.ended === null) {
          const shared = feed?.chunkFrom(cursor.revision);
          if (shared !== undefined) {
            yield pass(shared);
            continue;
          }
          if (feed !== undefined && cursor.revision >= feed.head.revision) {
            if (feed.closed) return;
            await feed.changed(signal);
            continue;
          }
          const page = await pages.read(buildId, cursor, limit);
          if (page.chunks.length === 0) {
            if (!follow || cursor.revision === 0n) return;
            feed = join(buildId, follower, cursor);
            continue;
          }
          for (const chunk of page.chunks) {
            yield pass(chunk);
            if (signal.aborted || cursor.log.ended !== null) return;
          }
          limit = page.nextLimit;
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
