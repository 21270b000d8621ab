import type { BuildFact, Clock } from "@fetch-image/core/fetching";
import { Deferred } from "./deferred.ts";

type Origin = "stdout" | "stderr";

export interface OutputWriterOptions {
  readonly fetchId: string;
  readonly planId: string;
  readonly clock: Clock;
  readonly redact: (text: string) => string;
  /** Resolves once the fact is stored, or cannot be. */
  readonly write: (fact: Extract<BuildFact, { type: "OutputWritten" }>) => Promise<void>;
}

/** At most four facts a second of each origin, at most 64 KiB in each; longer lines are cut there. */
const flushMs = 250;
const maxChars = 64 * 1024;
/** Kept back where a line is cut, so that a secret that is still coming in is found whole. */
const keptBack = 4096;
/** From here on the step is told to wait; there is always something to write then. */
const muchPending = maxChars + keptBack;
/** What is kept of each origin for a step that does not wait. */
const mostPending = 4 * maxChars;

/**
 * Gathers a step's output into facts. Whole lines go together, so that a secret that arrives in two pieces is cut as one.
 * One fact of each origin is on its way to the store at a time, so memory is bounded however chatty the step, and however
 * long the store is away.
 */
export class OutputWriter {
  readonly #options: OutputWriterOptions;
  readonly #pipes: readonly Pipe[];
  #cancelFlush: (() => void) | undefined;
  #ended = false;

  constructor(options: OutputWriterOptions) {
    this.#options = options;
    this.#pipes = [new Pipe("stdout", options), new Pipe("stderr", options)];
  }

  /** Resolves when there is room for more. */
  write(chunk: string, origin: Origin): Promise<void> {
    const pipe = this.#pipes.find((each) => each.origin === origin);
    if (pipe === undefined || this.#ended) return Promise.resolve();
    const room = pipe.take(chunk);
    this.#flushSoon();
    return room;
  }

  /** Writes what is left, half a line too, and takes nothing any more. */
  end(): void {
    this.#ended = true;
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    for (const pipe of this.#pipes) pipe.end();
  }

  #flushSoon(): void {
    this.#cancelFlush ??= this.#options.clock.after(flushMs, () => {
      this.#cancelFlush = undefined;
      for (const pipe of this.#pipes) pipe.flush();
      if (this.#pipes.some((pipe) => pipe.hasMore)) this.#flushSoon();
    });
  }
}

/** One origin's text on its way. */
class Pipe {
  readonly origin: Origin;
  readonly #options: OutputWriterOptions;
  #pending = "";
  /** Characters left out since the last line that said so. */
  #leftOut = 0;
  #underWay = 0;
  #room: Deferred<void> | undefined;

  constructor(origin: Origin, options: OutputWriterOptions) {
    this.origin = origin;
    this.#options = options;
  }

  /** Whether there is something to write without anything more coming in. */
  get hasMore(): boolean {
    return this.#writable() > 0;
  }

  /** A chunk that comes when there is room is taken whole, as large as it is: it is in memory anyway. */
  take(chunk: string): Promise<void> {
    if (this.#leftOut > 0) this.#resume(chunk);
    else if (this.#pending.length < muchPending || this.#pending.length + chunk.length <= mostPending)
      this.#pending += chunk;
    else this.#overflow(chunk);
    if (this.#pending.length < muchPending) return Promise.resolve();
    this.#room ??= new Deferred();
    return this.#room.promise;
  }

  flush(): void {
    const length = this.#writable();
    if (length > 0 && this.#underWay === 0) this.#write(length);
    if (this.#pending.length < muchPending) this.#letIn();
  }

  end(): void {
    if (this.#leftOut > 0) this.#pending += leftOutLine(this.#leftOut);
    this.#leftOut = 0;
    while (this.#pending.length > 0) this.#write(Math.min(this.#pending.length, maxChars));
    this.#letIn();
  }

  #letIn(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** As many whole lines as go in one fact; a piece of a longer line, once enough of it is there. */
  #writable(): number {
    const end = this.#pending.lastIndexOf("\n", maxChars - 1) + 1;
    if (end > 0) return end;
    return this.#pending.length >= muchPending ? maxChars : 0;
  }

  #write(length: number): void {
    const { fetchId, planId, redact, write } = this.#options;
    // The cut of a line may stand inside of a secret: all that is there of the line loses its secrets first.
    if (this.#pending[length - 1] !== "\n") this.#pending = redact(this.#pending);
    const text = redact(this.#pending.slice(0, length));
    this.#pending = this.#pending.slice(length);
    // What is put for a secret may be longer than it.
    for (let from = 0; from < text.length; from += maxChars) {
      const data = { fetchId, planId, origin: this.origin, text: text.slice(from, from + maxChars) };
      this.#underWay++;
      void this.#stored(write({ type: "OutputWritten", data }));
    }
  }

  async #stored(writing: Promise<void>): Promise<void> {
    // Whatever keeps it from being stored ends the fetch, which says so.
    await writing.catch(() => {});
    this.#underWay--;
  }

  /** Keeps the whole lines that fit, and leaves out from there on: half a secret must not stay. */
  #overflow(chunk: string): void {
    const came = this.#pending.length + chunk.length;
    const all = this.#pending + chunk.slice(0, Math.max(0, mostPending - this.#pending.length));
    const lines = all.lastIndexOf("\n") + 1;
    const kept = lines > 0 ? lines : all.length - keptBack;
    this.#pending = lines > 0 ? all.slice(0, lines) : `${this.#options.redact(all).slice(0, -keptBack)}\n`;
    this.#leftOut = came - kept;
  }

  /** Goes on at the next line, once there is room. */
  #resume(chunk: string): void {
    const line = chunk.indexOf("\n") + 1;
    if (line === 0 || this.#pending.length >= muchPending) {
      this.#leftOut += chunk.length;
      return;
    }
    this.#pending += leftOutLine(this.#leftOut + line) + chunk.slice(line);
    this.#leftOut = 0;
  }
}

function leftOutLine(characters: number): string {
  return `[fetch-image left out ${characters} characters here: they came faster than they could be stored]\n`;
}
