import type { ServerResponse } from "node:http";
import type { EventLog, Position } from "@fetch-image/core";
import type { BuildFolds } from "./build-folds.ts";
import type { FetchSummary } from "./fetch-summary.ts";
import { retrySoon } from "../sse.ts";
import { buildStreams, keyOf, type LiveFetches, type Viewer } from "./live-fetches.ts";

export interface LiveSource {
  readonly eventLog: EventLog;
  readonly folds: BuildFolds;
  readonly live: LiveFetches;
}

/** What is waited to be read, of one viewer, in fetches; who is farther behind loads the list anew. */
const mostPending = 5000;
/** What is read for one who was away, in pages; who was away for longer loads the list anew. */
const mostPages = 20;
const pageSize = 500;

/**
 * One connection on which fetches are told as they change: the last state of each, however slowly it reads. A frame's id is
 * a position up to which all has been told.
 */
export class LiveConnection implements Viewer {
  readonly #response: ServerResponse;
  readonly #source: LiveSource;
  readonly #pending = new Map<string, FetchSummary>();
  /** Before it has been told what happened while it was away. */
  #catchingUp = true;
  #mustReset = false;
  #told: Position | undefined;
  /** While what happened meanwhile is read, what is live tells some of it again. */
  readonly #sent = new WeakSet<FetchSummary>();

  constructor(response: ServerResponse, source: LiveSource) {
    this.#response = response;
    this.#source = source;
    response.on("drain", () => this.settled());
  }

  /** Tells what has happened since `after`, and from then on what comes. Rejects, with nothing sent, where it cannot. */
  async begin(after: Position | undefined, headers: { readonly [name: string]: string }): Promise<void> {
    const { live } = this.#source;
    await live.join(this);
    if (after !== undefined) await this.#catchUp(after);
    this.#response.writeHead(200, headers);
    this.#response.write(retrySoon);
    this.#catchingUp = false;
    this.settled();
    this.#response.write(frame("caught-up", "{}", this.#told ?? live.position));
  }

  changed(key: string, summary: FetchSummary): void {
    this.#pending.delete(key);
    if (this.#sent.has(summary)) return;
    this.#pending.set(key, summary);
    if (this.#pending.size <= mostPending) return;
    this.#pending.clear();
    this.#mustReset = true;
  }

  settled(): void {
    const response = this.#response;
    if (this.#catchingUp || response.writableNeedDrain || response.destroyed) return;
    const { position } = this.#source.live;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const summary of pending) this.#sent.add(summary);
    const frames: readonly (readonly ["reset" | "fetch", string])[] = this.#mustReset
      ? [["reset", "{}"]]
      : pending.map((one) => ["fetch", textOf(one)]);
    this.#mustReset = false;
    if (frames.length === 0) return;
    this.#told = position;
    // Only behind the last of them has everything up to there been told.
    const text = frames.map(([event, data], index) =>
      frame(event, data, index === frames.length - 1 ? position : undefined),
    );
    response.write(text.join(""));
  }

  /** Shows that the connection stands, and moves the place to resume at; who is behind is left alone. */
  keepAlive(): void {
    if (this.#catchingUp || this.#response.writableNeedDrain || this.#pending.size > 0) return;
    const { position } = this.#source.live;
    this.#response.write(position === undefined ? ":\n\n" : `id: ${position}\n\n`);
  }

  broken(): void {
    this.#response.destroy();
  }

  /** The last state of every fetch that has a fact behind `after`. */
  async #catchUp(after: Position): Promise<void> {
    const { eventLog, folds } = this.#source;
    let from = after;
    for (let page = 1; ; page++) {
      const { facts, next, end } = await eventLog.readAll({ after: from, filter: buildStreams, limit: pageSize });
      for (const fact of facts) {
        const { fold, fetchId } = await folds.take(fact);
        const summary = fetchId === undefined ? undefined : fold.get(fetchId);
        if (summary !== undefined) this.changed(keyOf(summary), summary);
      }
      if (end || next === undefined) return;
      from = next;
      if (page < mostPages) continue;
      this.#pending.clear();
      this.#mustReset = true;
      return;
    }
  }
}

/** Made once for all viewers. */
const texts = new WeakMap<FetchSummary, string>();

function textOf(summary: FetchSummary): string {
  const known = texts.get(summary);
  if (known !== undefined) return known;
  const text = JSON.stringify(summary);
  texts.set(summary, text);
  return text;
}

function frame(event: string, data: string, id: Position | undefined): string {
  return `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${data}\n\n`;
}
