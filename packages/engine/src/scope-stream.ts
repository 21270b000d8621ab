import {
  type Clock,
  decodeScopeFact,
  type EventLog,
  evolveOutline,
  type Hash,
  type Logger,
  newerPart,
  type RecordedFact,
  type RecordedScopeFact,
  type ScopeOutline,
  scopeStream,
  unknownScope,
} from "@fetch-image/core/fetching";
import { ScopeEntry } from "./scope-entry.ts";
import type { Make, ScopeWriter, Waiting } from "./scope-writer.ts";
import { withPatience } from "./store-patience.ts";
import type { Ticker } from "./ticker.ts";
import { untilHere } from "./until-here.ts";

export interface StreamOptions {
  readonly eventLog: EventLog;
  readonly clock: Clock;
  readonly hash: Hash;
  readonly ticker: Ticker;
  readonly logger: Logger;
  readonly node: string;
  /** Another one each time, of this incarnation: tells its facts apart. */
  readonly nextNumber: () => number;
  /** How long the store may be away. */
  readonly storePatienceMs: number;
  /** Whether nobody waits any more. */
  readonly isOver?: () => boolean;
}

export interface ScopeStreamOptions extends StreamOptions {
  readonly writer: ScopeWriter;
  /** Told once of each stream, when it is first met, whether there was nothing in it. */
  readonly onMet: (isNew: boolean) => void;
  /** Told of each secret whose fold comes to be kept. */
  readonly onKept: () => void;
}

/**
 * One scope's stream, read once for all who ask in this process, and its folds in memory: one for each secret that they show.
 * It has many writers: a conflict means that the folds are behind.
 *
 * A stream with a fact of a newer version is neither written nor believed: the fact may say that what stands before it
 * counts no more. What this process asks itself is then remembered in memory alone, so that its fetches still share one
 * question and one interval. Asking a registry changes nothing, and builds go on while nodes are upgraded one by one.
 */
export class ScopeStream {
  /** In the event log. */
  readonly name: string;
  /** The writer's; undefined while nothing is written. */
  queue: Waiting[] | undefined;
  readonly #options: ScopeStreamOptions;
  /** Of those who show no secret. */
  #anonymous: ScopeEntry | undefined;
  /** By proof; the one that was written last stands last. */
  #bySecret: Map<string, ScopeEntry> | undefined;
  #outline: ScopeOutline = unknownScope;
  #isAside = false;
  #isMet = false;
  #readAt = -Infinity;
  #look: Promise<void> | undefined;
  #lookNow: Promise<void> | undefined;

  constructor(scope: string, options: ScopeStreamOptions) {
    this.name = scopeStream(scope);
    this.#options = options;
  }

  /** What all are told. */
  get outline(): ScopeOutline {
    return this.#outline;
  }

  /** Whether it holds a fact of a newer version. */
  get isAside(): boolean {
    return this.#isAside;
  }

  /** Whether the folds are of what stands in the stream. Until then they are a guess: that the scope is new. */
  get isMet(): boolean {
    return this.#isMet;
  }

  /** What was stored by then is in the folds; milliseconds since the epoch, by this node's clock. */
  get readAt(): number {
    return this.#readAt;
  }

  /** How many secrets' folds it keeps. */
  get size(): number {
    return (this.#anonymous === undefined ? 0 : 1) + (this.#bySecret?.size ?? 0);
  }

  /** Whether nobody waits for anything of it. */
  get isIdle(): boolean {
    return this.#entries().every(({ isIdle }) => isIdle);
  }

  find(proof: string | null): ScopeEntry | undefined {
    return proof === null ? this.#anonymous : this.#bySecret?.get(proof);
  }

  entryOf(proof: string | null): ScopeEntry {
    return this.find(proof) ?? this.#keep(proof, new ScopeEntry(this));
  }

  /** Gives up every question of this process. */
  abort(reason: string): void {
    for (const entry of this.#entries()) entry.abort(reason);
  }

  /** Folds all that was stored before the call: one read for all who ask in one turn. */
  lookNow(): Promise<void> {
    this.#lookNow ??= this.#options.ticker.turnEnd().then(() => {
      this.#lookNow = undefined;
      return this.readOn();
    });
    return this.#lookNow;
  }

  /** Folds what has come, in a while. All who wait for another node's answer look together: one read, however many wait. */
  lookLater(): Promise<void> {
    this.#look ??= new Promise<void>((resolve) => {
      this.#options.clock.after(lookMs, resolve);
    })
      .then(() => this.readOn())
      .finally(() => {
        this.#look = undefined;
      });
    return this.#look;
  }

  /** Folds what has come since. The store may be away for as long as it may from `waitsSince` on, which is now as a rule. */
  async readOn(waitsSince?: number): Promise<void> {
    const { eventLog, clock, isOver } = this.#options;
    if (this.#isAside || isOver?.() === true) return;
    const begunAt = clock.now();
    const { revision } = this.#outline;
    const from = revision === undefined ? 0n : revision + 1n;
    const facts = await withPatience(() => eventLog.read(this.name, { from }), this.#options, waitsSince);
    // Another reading may have stood aside meanwhile.
    if (this.#isAside) return;
    this.meet(facts.length === 0);
    for (const recorded of facts) {
      if (!this.#isNext(recorded)) continue;
      const newer = newerPart(recorded);
      if (newer !== undefined) {
        this.#standAside(recorded, newer);
        return;
      }
      const decoded = decodeScopeFact(recorded);
      if (decoded.known) this.fold(this.#asSeenHere(decoded.fact));
    }
    this.#readAt = Math.max(this.#readAt, begunAt);
  }

  /** As {@link ScopeEntry.append}. */
  append(entry: ScopeEntry, make: Make): Promise<boolean> {
    return this.#options.writer.append(this, entry, make);
  }

  /** For the writer: what the stream was taken for is what it is. */
  meet(isNew: boolean): void {
    if (this.#isMet) return;
    this.#isMet = true;
    this.#options.onMet(isNew);
  }

  /** For the writer, too. Another reading may have been faster. */
  fold(fact: RecordedScopeFact): void {
    if (!this.#isNext(fact)) return;
    if (fact.type === "RateLimitObserved") {
      this.#outline = evolveOutline(this.#outline, fact);
    } else {
      // What he is told whom a fact is for has what all are.
      this.#outline = this.#entryWritten(fact.data.proof ?? null).evolve(fact);
    }
  }

  #asSeenHere(fact: RecordedScopeFact): RecordedScopeFact {
    const { clock, node } = this.#options;
    if (fact.type !== "CheckClaimed" || fact.metadata.node === node) return fact;
    const until = untilHere(fact.data.until, fact.metadata.time, clock.now());
    return { ...fact, data: { ...fact.data, until } };
  }

  #isNext({ revision }: Pick<RecordedFact, "revision">): boolean {
    return this.#outline.revision === undefined || revision > this.#outline.revision;
  }

  #entryWritten(proof: string | null): ScopeEntry {
    const entry = this.entryOf(proof);
    if (proof !== null) {
      this.#bySecret?.delete(proof);
      this.#bySecret?.set(proof, entry);
    }
    return entry;
  }

  #keep(proof: string | null, entry: ScopeEntry): ScopeEntry {
    if (proof === null) {
      this.#anonymous = entry;
    } else {
      this.#bySecret ??= new Map();
      if (this.#bySecret.size >= maxSecrets) forgetIdle(this.#bySecret);
      this.#bySecret.set(proof, entry);
    }
    this.#options.onKept();
    return entry;
  }

  #entries(): readonly ScopeEntry[] {
    return [...(this.#anonymous === undefined ? [] : [this.#anonymous]), ...(this.#bySecret?.values() ?? [])];
  }

  #standAside({ stream, revision, type }: RecordedFact, newer: string): void {
    const what = { stream, revision: String(revision), type, newer };
    this.#options.logger.warn(
      "a scope has a fact of a newer version: its registry is asked, and nothing recorded",
      what,
    );
    this.#isAside = true;
    this.#outline = unknownScope;
    for (const entry of this.#entries()) entry.forget();
  }
}

/** From what was written longest ago on; what somebody waits for stays. */
function forgetIdle(bySecret: Map<string, ScopeEntry>): void {
  for (const [proof, { isIdle }] of bySecret) {
    // Many at a time: each going over the map passes by all that was deleted from it since it was last packed.
    if (bySecret.size <= maxSecrets * 0.95) return;
    if (isIdle) bySecret.delete(proof);
  }
}

const lookMs = 250;

/** Of one scope. With the fold of a secret that is forgotten goes what it was answered: it is asked by once more. */
const maxSecrets = 1000;
