import { buildStream, type EventLog } from "@fetch-image/core";
import { setImmediate as turn } from "node:timers/promises";
import { type LogChunk, type LogCursor, renderChunks } from "./log-chunks.ts";

/** Some chunks of a build's log, read and rendered at once; none where the facts end. */
export interface LogPage {
  readonly chunks: readonly LogChunk[];
  /** How many facts to ask for next. */
  readonly nextLimit: number;
}

/** In facts: few, so that the first byte leaves at once; each page then has at most twice as many as the one before. */
export const firstPage = 32;
const largestPage = 1024;
/** What a page is to have, in the length of its text. */
const pageText = 256 * 1024;
/** What is kept of pages, of all builds together, for readers that come behind each other. */
const mostKept = 8 * 1024 * 1024;

/**
 * Reads and renders builds' logs for whoever is behind the newest facts. Readers that are at the same place share one
 * read and one rendering: all who come back after a restart, say.
 */
export class LogPages {
  readonly #eventLog: EventLog;
  readonly #reading = new Map<string, Promise<LogPage>>();
  /** In the order of use, the latest last. */
  readonly #kept = new Map<string, { readonly page: LogPage; readonly length: number }>();
  #length = 0;

  constructor(eventLog: EventLog) {
    this.#eventLog = eventLog;
  }

  /** What is behind the cursor, of everything that was stored before the call. Rejects as the event log does. */
  async read(buildId: string, cursor: LogCursor, limit: number): Promise<LogPage> {
    // The position is that of one fact for ever: a stream that was removed, and made again, has others.
    const key = `${buildId} ${cursor.position ?? ""}`;
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return kept.page;
    }
    const shared = await this.#reading.get(key);
    // That read began before: what it did not find may have been stored since.
    if (shared !== undefined && shared.chunks.length > 0) return shared;
    const reading =
      this.#reading.get(key) ?? this.#read(buildId, cursor, limit).finally(() => this.#reading.delete(key));
    this.#reading.set(key, reading);
    const page = await reading;
    if (cursor.position !== undefined) this.#keep(key, page);
    return page;
  }

  async #read(buildId: string, cursor: LogCursor, limit: number): Promise<LogPage> {
    const facts = await this.#eventLog.read(buildStream(buildId), { from: cursor.revision, limit });
    const chunks: LogChunk[] = [];
    let length = 1;
    try {
      for (const chunk of renderChunks(cursor, facts)) {
        chunks.push(chunk);
        length += chunk.text.length;
        // A long page must not keep the other connections waiting.
        await turn();
      }
    } catch (error) {
      // What stands before the fact that cannot be rendered is still sent.
      if (chunks.length === 0) throw error;
    }
    const fitting = Math.floor((pageText / length) * facts.length);
    return { chunks, nextLimit: Math.max(16, Math.min(largestPage, 2 * limit, fitting)) };
  }

  #keep(key: string, page: LogPage): void {
    if (page.chunks.length === 0 || this.#kept.has(key)) return;
    const length = page.chunks.reduce((sum, { text }) => sum + text.length, 0);
    this.#kept.set(key, { page, length });
    this.#length += length;
    for (const [oldest, one] of this.#kept) {
      if (this.#length <= mostKept) break;
      this.#kept.delete(oldest);
      this.#length -= one.length;
    }
  }
}
