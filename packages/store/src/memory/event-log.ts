import type {
  Appended,
  CancelSignal,
  EventLog,
  ExpectedRevision,
  JsonObject,
  NewFact,
  Page,
  ReadAllOptions,
  ReadOptions,
  RecordedFact,
  SubscribeOptions,
  SubscriptionMessage,
} from "@fetch-image/core/fetching";
import { untilAborted } from "../facts/abort.ts";
import { type AppendRequest, appendRequest } from "../facts/append-request.ts";
import { duplicateId, logClosed, wrongExpectedRevision } from "../facts/errors.ts";
import { passes } from "../facts/filter.ts";
import { follow } from "../facts/follow.ts";
import { frozen } from "../facts/frozen.ts";
import { positionNumber } from "../facts/position.ts";

/** An event log that lives as long as its process, with the guarantees of the others. Facts given out are frozen. */
export function createMemoryEventLog(): EventLog {
  return new MemoryEventLog();
}

class MemoryEventLog implements EventLog {
  /** In order; a fact's position is its index + 1. */
  readonly #facts: RecordedFact[] = [];
  readonly #streams = new Map<string, RecordedFact[]>();
  readonly #ids = new Set<string>();
  readonly #waiting = new Set<() => void>();
  #closed = false;

  async append(stream: string, expected: ExpectedRevision, facts: readonly NewFact[]): Promise<Appended> {
    this.#assertOpen();
    const request = appendRequest(stream, expected, facts);
    const standing = this.#streams.get(stream) ?? [];
    const after = expected === "no-stream" ? -1n : expected;
    const actual = BigInt(standing.length) - 1n;
    if (actual === after) return this.#store(request, standing);
    const repeated = actual > after ? standing.slice(Number(after) + 1, Number(after) + 1 + facts.length) : [];
    const last = repeated.at(-1);
    const same = repeated.length === facts.length && repeated.every((fact, index) => fact.id === facts[index]?.id);
    if (!same || last === undefined) {
      throw wrongExpectedRevision(stream, expected, actual < 0n ? undefined : actual);
    }
    return { revision: last.revision, position: last.position };
  }

  async read(stream: string, options: ReadOptions = {}): Promise<readonly RecordedFact[]> {
    this.#assertOpen();
    const { from, direction = "forwards", limit = Infinity } = options;
    const facts = this.#streams.get(stream) ?? [];
    const asked =
      direction === "forwards"
        ? facts.slice(Math.max(0, Number(from ?? 0n)))
        : facts.slice(0, Math.max(0, Number(from ?? BigInt(facts.length)) + 1)).toReversed();
    return asked.slice(0, Math.max(0, limit));
  }

  async readAll(options: ReadAllOptions): Promise<Page> {
    this.#assertOpen();
    const { filter, limit } = options;
    const facts: RecordedFact[] = [];
    let at = Number(positionNumber(options.after));
    for (; at < this.#facts.length && facts.length < limit; at++) {
      const fact = this.#facts[at];
      if (fact !== undefined && passes(filter, fact.stream)) facts.push(fact);
    }
    const next = at === 0 ? undefined : String(at);
    return { facts, next: limit > 0 ? next : options.after, end: at >= this.#facts.length };
  }

  subscribe(options: SubscribeOptions): AsyncIterable<SubscriptionMessage> {
    return follow(options, {
      page: (after) => this.readAll({ ...options, ...(after === undefined ? {} : { after }), limit: 512 }),
      mark: () => this.#facts.length,
      changed: (mark, _next, signal) => this.#changed(mark, signal),
      ended: () => (this.#closed ? logClosed() : undefined),
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
  }

  #store(request: AppendRequest, standing: RecordedFact[]): Appended {
    const { stream, facts } = request;
    const known = facts.find((fact) => this.#ids.has(fact.id));
    if (known !== undefined) throw duplicateId(stream, known.id);
    const revision = BigInt(standing.length);
    const recorded = facts.map((fact, index) =>
      Object.freeze({
        id: fact.id,
        type: fact.type,
        data: parseFrozen(fact.data),
        metadata: parseFrozen(fact.metadata),
        stream,
        revision: revision + BigInt(index),
        position: String(this.#facts.length + index + 1),
      }),
    );
    for (const fact of recorded) {
      this.#ids.add(fact.id);
      this.#facts.push(fact);
      standing.push(fact);
    }
    this.#streams.set(stream, standing);
    this.#wake();
    return { revision: revision + BigInt(facts.length) - 1n, position: String(this.#facts.length) };
  }

  async #changed(mark: number, signal: CancelSignal): Promise<void> {
    if (this.#closed || this.#facts.length > mark) return;
    let wake = (): void => undefined;
    const woken = new Promise<void>((resolve) => (wake = resolve));
    this.#waiting.add(wake);
    await untilAborted(woken, signal);
    this.#waiting.delete(wake);
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #assertOpen(): void {
    if (this.#closed) throw logClosed();
  }
}

// Written out and read back, so that nobody shares a fact with the one who gave it.
function parseFrozen(json: string): JsonObject {
  const value: JsonObject = JSON.parse(json);
  return frozen(value);
}
