import {
  type BuildFact,
  buildFactToStore,
  type BuildFactData,
  type EventOrigin,
  FetchImageError,
  type Json,
  type JsonObject,
  type NewFact,
  readEvent,
  type SavedEvents,
  type SchedulerEvent,
  showText,
} from "@fetch-image/core/fetching";
import type { BuildContext } from "./build-context.ts";
import { mark, type SecretScanner } from "./secret-scanner.ts";

/** An event of the scheduler's own, for the build's log. */
export type BuildEvent = SchedulerEvent & {
  /**
   * The scheduler's name for the event, unique in the build: up to 200 characters. An event whose key is stored already is
   * not stored again, so that whoever does not know what became of an append repeats it.
   */
  readonly key: string;
};

export interface BuildEventsOptions extends Pick<
  BuildContext,
  "buildId" | "stream" | "node" | "hash" | "stampTime" | "submit" | "redact"
> {
  /** Tells this opening of the build from an earlier one in this process. */
  readonly opening: number;
  readonly past: SavedEvents;
  /** Another process may have stopped in the middle of a text, and of a secret in it. */
  readonly goesOn: boolean;
  readonly scanner: () => SecretScanner;
  /** What the log hashes to that is stored. */
  readonly seal: () => Promise<BuildFactData<"BuildLogSealed"> | undefined>;
}

/** Of one fact's text, in UTF-8. */
const largestText = 64 * 1024;
/** In UTF-16 units, of one append's: its facts are stored together. */
const largestPayload = 512 * 1024;

/** The scheduler's own events of an open build, on their way to its one writer. */
export class BuildEvents {
  readonly #options: BuildEventsOptions;
  readonly #keys: Map<string, { readonly event: string; readonly stored: Promise<void> | undefined }>;
  /** By origin: text that may be the beginning of a secret. */
  readonly #held = new Map<string, { readonly origin: EventOrigin; readonly text: string }>();
  /** Origins of whose texts it is known how they begin here. */
  readonly #begun = new Set<string>();
  readonly #goesOn: boolean;
  #ended: string | null;
  #sealed: boolean;

  constructor(options: BuildEventsOptions) {
    this.#options = options;
    const { keys, ended, sealed } = options.past;
    this.#keys = new Map([...keys].map(([key, event]) => [key, { event, stored: undefined }]));
    this.#goesOn = options.goesOn;
    this.#ended = ended;
    this.#sealed = sealed;
  }

  /** Resolves once the event is durable; with the last status, once the log's hash is too. */
  async append({ key, event, data }: BuildEvent): Promise<void> {
    const invalid = (problem: string): FetchImageError => this.#invalid(key, problem);
    if (!isKey(key)) throw this.#invalid("", "a key has 1 to 200 characters, none of them a control character");
    const read = readEvent(event, data as unknown as JsonObject);
    if (!read.ok) throw invalid(read.problem);
    const known = this.#keys.get(key);
    if (known !== undefined && known.event !== event) throw invalid(`the key stands for a ${known.event} already`);
    const { length } = textOf(read.data);
    if (length > largestPayload) throw invalid(`log.payload has ${length} characters; ${largestPayload} are the most`);
    const end = event === "status" && data.status !== "started" ? data.status : null;
    if (known === undefined && this.#ended !== null) throw invalid(`the build has ended: ${this.#ended}`);
    if (known === undefined) {
      const facts = this.#facts(key, event, read.data);
      const stored = facts.length === 0 ? Promise.resolve() : this.#options.submit(facts);
      this.#keys.set(key, { event, stored });
      this.#ended = end;
      await stored;
    } else {
      // The process before may have died with the end of this text held.
      if (known.stored === undefined && event === "log") this.#takeAgain(originOf(read.data), textOf(read.data));
      await known.stored;
    }
    if (end !== null) await this.#seal();
  }

  /** Writes what is held: no more is coming here, though elsewhere it may. So of a secret no half is written. */
  async end(): Promise<void> {
    const facts = this.#flush(() => true, `${this.#options.node}\n${this.#options.opening}`, true);
    if (facts.length > 0) await this.#options.submit(facts);
  }

  #facts(key: string, event: SchedulerEvent["event"], data: JsonObject): readonly NewFact[] {
    const at = this.#options.stampTime();
    if (event === "log") {
      const origin = originOf(data);
      const text = this.#take(origin, textOf(data));
      // Nothing is stored where all of it is held, and one fact where there is nothing at all.
      const parts = text === "" && textOf(data) !== "" ? [] : inParts(text);
      return parts.map((payload, part) =>
        this.#fact({ key, part, event, data: { origin: { ...origin }, payload } }, at),
      );
    }
    // Nothing more comes of a step that ends; with the last status, of none.
    const id = originOf(data).id;
    const isOver = (origin: EventOrigin): boolean =>
      event === "status" ? data["status"] !== "started" : origin.id === id;
    const before = this.#flush(isOver, key);
    return [...before, this.#fact({ key, part: 0, event, data: redacted(data, this.#options.redact) }, at)];
  }

  /** A text that is stored already, as far as it was not held. */
  #takeAgain(origin: EventOrigin, payload: string): void {
    this.#begun.add(nameOf(origin));
    this.#take(origin, payload);
  }

  /** What is safe of an origin's text so far. */
  #take(origin: EventOrigin, payload: string): string {
    const name = nameOf(origin);
    const scanner = this.#options.scanner();
    const whole = (this.#held.get(name)?.text ?? "") + payload;
    const begins = !this.#goesOn || this.#begun.has(name) ? 0 : scanner.endOfOneBefore(whole);
    if (begins === "open") {
      this.#held.set(name, { origin, text: whole });
      return "";
    }
    this.#begun.add(name);
    const { text, held } = scanner.scan(whole.slice(begins), false);
    if (held === "") this.#held.delete(name);
    else this.#held.set(name, { origin, text: held });
    return begins === 0 ? text : mark + text;
  }

  /** `goesOn`: elsewhere. */
  #flush(isOver: (origin: EventOrigin) => boolean, key: string, goesOn = false): readonly NewFact[] {
    const at = this.#options.stampTime();
    const facts: NewFact[] = [];
    for (const [name, { origin, text }] of this.#held) {
      if (!isOver(origin)) continue;
      this.#held.delete(name);
      const rest = this.#rest(name, text, goesOn).replaceAll(/\p{Surrogate}/gu, "\uFFFD");
      const data = { origin: { ...origin }, payload: rest };
      facts.push(this.#fact({ key: `${key}\nheld\n${name}`, part: 0, event: "log", data }, at));
    }
    return facts;
  }

  #rest(name: string, text: string, goesOn: boolean): string {
    const scanner = this.#options.scanner();
    const isInTheMiddle = this.#goesOn && !this.#begun.has(name);
    return goesOn || isInTheMiddle ? scanner.cutOff(text) : scanner.scan(text, true).text;
  }

  #fact(
    { key, part, event, data }: { key: string; part: number; event: SchedulerEvent["event"]; data: JsonObject },
    at: number,
  ): NewFact {
    const { buildId, stream, node, hash } = this.#options;
    const fact: BuildFact = { type: "BuildEventSaved", data: { buildId, key, event, data } };
    return buildFactToStore(fact, { stream, key: `event\n${key}\n${part}`, buildId, node, at }, hash);
  }

  async #seal(): Promise<void> {
    if (this.#sealed) return;
    const { buildId, stream, node, hash, submit, seal, stampTime } = this.#options;
    const sealed = await seal();
    if (sealed === undefined || this.#sealed) return;
    this.#sealed = true;
    const fact: BuildFact = { type: "BuildLogSealed", data: sealed };
    try {
      await submit([buildFactToStore(fact, { stream, key: "sealed", buildId, node, at: stampTime() }, hash)]);
    } catch (error) {
      this.#sealed = false;
      throw error;
    }
  }

  #invalid(key: string, problem: string): FetchImageError {
    const { buildId } = this.#options;
    return new FetchImageError("FI_EVENT_INVALID", {
      message: `build ${buildId}, event ${showText(key)}: ${problem}`,
      details: { build: buildId },
    });
  }
}

function isKey(key: unknown): key is string {
  // oxlint-disable-next-line no-control-regex -- what no key has
  return typeof key === "string" && /^[^\u0000-\u001f\u007f]{1,200}$/.test(key) && !/\p{Surrogate}/u.test(key);
}

function nameOf({ id, source }: EventOrigin): string {
  return `${source ?? ""}\n${id}`;
}

function originOf(data: JsonObject): EventOrigin {
  return (data["origin"] ?? { id: "" }) as unknown as EventOrigin;
}

function textOf(data: JsonObject): string {
  const { payload } = data;
  return typeof payload === "string" ? payload : "";
}

/** Pieces of at most so many bytes, no character cut in two. */
function inParts(text: string): readonly string[] {
  if (text.length * 3 <= largestText || Buffer.byteLength(text) <= largestText) return [text];
  const bytes = Buffer.from(text);
  const parts: string[] = [];
  for (let from = 0; from < bytes.length;) {
    let to = Math.min(from + largestText, bytes.length);
    // A byte that goes on with a character begins with 10.
    while (to < bytes.length && ((bytes[to] ?? 0) & 0xc0) === 0x80) to--;
    parts.push(bytes.toString("utf8", from, to));
    from = to;
  }
  return parts;
}

/** Texts with their secrets cut, but for names that plans are found by. */
function redacted(data: JsonObject, redact: (text: string) => string): JsonObject {
  const named: ReadonlySet<string> = new Set(["origin", "plan", "step", "status"]);
  const cut = (value: Json): Json => {
    if (typeof value === "string") return redact(value);
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(cut);
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, named.has(key) ? one : cut(one)]));
  };
  return cut(data) as JsonObject;
}
