import type { Readable } from "node:stream";
import type { ResolvedEvent } from "@eventstore/db-client";
import { GivenUp } from "./failures.ts";

/** The most items that wait to be taken; the source is held up past that. */
const mostWaiting = 256;

/** What comes out of one of the client's streams, to be taken by the handful: in order, up to its end or failure. */
export class Inbox<T> {
  readonly #source: Readable;
  #items: T[] = [];
  /** Items that come after so many of the source's events. */
  readonly #remarks: { readonly after: number; readonly item: T }[] = [];
  #received = 0;
  #ended: { readonly failure: unknown } | "well" | undefined;
  #wake: (() => void) | undefined;

  /** `stream`: one of the client's, whose types leave out most of what a `Readable` has. */
  constructor(stream: { readonly readableLength: number }, convert: (event: ResolvedEvent) => T | undefined) {
    const source = stream as unknown as Readable;
    this.#source = source;
    source.on("data", (event: ResolvedEvent) => {
      this.#received++;
      const item = convert(event);
      if (item !== undefined) this.#put(item);
      this.#putRemarks();
    });
    source.on("end", () => this.#end("well"));
    source.on("close", () => this.#end("well"));
    source.on("error", (failure: unknown) => this.#end({ failure }));
  }

  /** Nothing has come that was not taken. */
  get isEmpty(): boolean {
    return this.#items.length === 0 && this.#source.readableLength === 0;
  }

  /** Puts in what the client says beside the stream: behind the events that it gave before, of which some may be waiting. */
  remark(item: T): void {
    this.#remarks.push({ after: this.#received + this.#source.readableLength, item });
    this.#putRemarks();
  }

  fail(failure: unknown): void {
    this.#end({ failure });
  }

  /** Whatever there is, as soon as there is something; undefined at the end. Rejects with `GivenUp` after so long. */
  async take(timeoutMs?: number): Promise<readonly T[] | undefined> {
    while (this.#items.length === 0) {
      if (this.#ended === "well") return undefined;
      if (this.#ended !== undefined) throw this.#ended.failure;
      await this.#something(timeoutMs);
    }
    const items = this.#items;
    this.#items = [];
    if (this.#source.isPaused()) this.#source.resume();
    return items;
  }

  #put(item: T): void {
    this.#items.push(item);
    if (this.#items.length >= mostWaiting) this.#source.pause();
    this.#wake?.();
  }

  #putRemarks(): void {
    for (let [first] = this.#remarks; first !== undefined && first.after <= this.#received; [first] = this.#remarks) {
      this.#remarks.shift();
      this.#put(first.item);
    }
  }

  #something(timeoutMs: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = (): void => {
        this.#wake = undefined;
        reject(new GivenUp("there is no answer", { sent: true, broken: true }));
      };
      const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
      const wake = (): void => {
        this.#wake = undefined;
        clearTimeout(timer);
        resolve();
      };
      this.#wake = wake;
    });
  }

  #end(how: { readonly failure: unknown } | "well"): void {
    this.#ended ??= how;
    this.#wake?.();
  }
}
