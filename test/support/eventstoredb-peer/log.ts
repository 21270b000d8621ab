import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { type AppendCheck, checkAppend } from "./check-append.ts";

/** An event as a client proposes it. */
export interface ProposedEvent {
  readonly id: string;
  readonly type: string;
  readonly isJson: boolean;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

export interface StoredEvent extends ProposedEvent {
  readonly stream: string;
  readonly revision: bigint;
  /** Commit and prepare position alike, as the server's are where no explicit transaction is used. */
  readonly position: bigint;
  /** Milliseconds since the Unix epoch. */
  readonly created: number;
}

export type AppendOutcome =
  | { readonly kind: "appended"; readonly last: StoredEvent | undefined; readonly revision: bigint }
  | Extract<AppendCheck, { readonly kind: "wrong-revision" | "deleted" }>;

/** What a reader of one stream finds. */
export type VisibleStream = readonly StoredEvent[] | "not-found" | "tombstoned";

export const noStream = -1n;
/** The revision of a tombstone. */
export const tombstoneRevision: bigint = 2n ** 63n - 1n;

interface StreamState {
  readonly events: StoredEvent[];
  /** Events before this revision are not given out; past every revision where the stream is deleted softly. */
  truncateBefore: bigint;
  maxCount: number | undefined;
  tombstoned: boolean;
}

/** The events of all streams in one order, in memory, with the rules of EventStoreDB. Emits `appended`. */
export class PeerLog extends EventEmitter<{ appended: [] }> {
  readonly #events: StoredEvent[] = [];
  readonly #streams = new Map<string, StreamState>();
  /** Where an id stands, by which an append that names no revision is recognised. */
  readonly #recent = new Map<string, StoredEvent>();
  #position = 0n;

  constructor() {
    super();
    this.setMaxListeners(0);
    this.clear();
  }

  /** Makes it the log of a server that was just set up. */
  clear(): void {
    this.#events.length = 0;
    this.#streams.clear();
    this.#recent.clear();
    this.#position = 0n;
    // A server has events of its own from its first start on.
    for (const user of ["admin", "ops"]) {
      this.#put(`$user-${user}`, 0n, systemEvent("$UserCreated", JSON.stringify({ loginName: user })));
    }
  }

  get events(): readonly StoredEvent[] {
    return this.#events;
  }

  append(stream: string, expected: bigint, proposed: readonly ProposedEvent[]): AppendOutcome {
    const ids = proposed.map(({ id }) => id);
    const check = checkAppend(this, stream, expected, ids);
    if (check.kind === "repeated") {
      return { kind: "appended", last: this.eventAt(stream, check.revision), revision: check.revision };
    }
    if (check.kind !== "fits") return check;
    const { current } = check;
    const state = this.#streams.get(stream);
    // Who appends to a stream that was deleted softly gets it back, from the new events on.
    if (state !== undefined && this.isSoftlyDeleted(stream)) this.#truncate(stream, current + 1n);
    let last: StoredEvent | undefined;
    let revision = current;
    for (const event of proposed) last = this.#put(stream, ++revision, event);
    this.#noteMetadata(stream);
    this.emit("appended");
    return { kind: "appended", last, revision };
  }

  /** As a client's delete: its readers find nothing, its revisions go on. */
  delete(stream: string, expected: bigint): AppendOutcome {
    const check = checkAppend(this, stream, expected, []);
    if (check.kind === "repeated" || check.kind === "fits") {
      this.#truncate(stream, tombstoneRevision);
      this.emit("appended");
      return { kind: "appended", last: this.#events.at(-1), revision: this.lastRevision(stream) };
    }
    return check;
  }

  /** For good: nobody can read the stream or append to it ever again. */
  tombstone(stream: string, expected: bigint): AppendOutcome {
    const check = checkAppend(this, stream, expected, []);
    if (check.kind !== "repeated" && check.kind !== "fits") return check;
    const last = this.#put(stream, tombstoneRevision, systemEvent("$streamDeleted", ""));
    this.#state(stream).tombstoned = true;
    this.emit("appended");
    return { kind: "appended", last, revision: tombstoneRevision };
  }

  lastRevision(stream: string): bigint {
    const state = this.#streams.get(stream);
    if (state?.tombstoned === true) return tombstoneRevision;
    return state?.events.at(-1)?.revision ?? noStream;
  }

  isSoftlyDeleted(stream: string): boolean {
    const state = this.#streams.get(stream);
    return state !== undefined && !state.tombstoned && state.truncateBefore >= 2n ** 62n;
  }

  eventAt(stream: string, revision: bigint): StoredEvent | undefined {
    const events = this.#streams.get(stream)?.events ?? [];
    return events[Number(revision - (events[0]?.revision ?? 0n))];
  }

  recent(id: string): StoredEvent | undefined {
    return this.#recent.get(id);
  }

  visible(stream: string): VisibleStream {
    const state = this.#streams.get(stream);
    if (state?.tombstoned === true) return "tombstoned";
    if (state === undefined || state.events.length === 0 || this.isSoftlyDeleted(stream)) return "not-found";
    const { events, truncateBefore, maxCount } = state;
    const kept = truncateBefore === 0n ? events : events.filter(({ revision }) => revision >= truncateBefore);
    return maxCount === undefined ? kept : kept.slice(-maxCount);
  }

  /** The index of the first event at or after a position. */
  indexOf(position: bigint): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.position ?? 0n) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #put(stream: string, revision: bigint, event: ProposedEvent): StoredEvent {
    const stored = { ...event, stream, revision, position: this.#position, created: Date.now() };
    // About the size of the record on disk, as positions of the real log grow.
    this.#position += BigInt(64 + event.data.length + event.metadata.length + 2 * event.type.length);
    this.#events.push(stored);
    this.#state(stream).events.push(stored);
    this.#recent.set(stored.id, stored);
    return stored;
  }

  #state(stream: string): StreamState {
    let state = this.#streams.get(stream);
    if (state === undefined) {
      state = { events: [], truncateBefore: 0n, maxCount: undefined, tombstoned: false };
      this.#streams.set(stream, state);
    }
    return state;
  }

  #truncate(stream: string, before: bigint): void {
    const metadata = `$$${stream}`;
    this.#put(metadata, this.lastRevision(metadata) + 1n, systemEvent("$metadata", `{"$tb":${before}}`));
    this.#noteMetadata(metadata);
  }

  #noteMetadata(stream: string): void {
    if (!stream.startsWith("$$")) return;
    const last = this.#streams.get(stream)?.events.at(-1);
    if (last === undefined) return;
    const metadata: { readonly $tb?: number; readonly $maxCount?: number } = JSON.parse(text(last.data));
    const state = this.#state(stream.slice(2));
    state.truncateBefore = BigInt(metadata.$tb ?? 0);
    state.maxCount = metadata.$maxCount;
  }
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}

function systemEvent(type: string, data: string): ProposedEvent {
  return { id: randomUUID(), type, isJson: data !== "", data: Buffer.from(data), metadata: new Uint8Array() };
}
