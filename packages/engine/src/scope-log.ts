import {
  type Appended,
  type Clock,
  decodeScopeFact,
  type EventLog,
  evolveScopeFor,
  type ExpectedRevision,
  FetchImageError,
  type Hash,
  type Logger,
  newerPart,
  type NewFact,
  type RecordedFact,
  type RecordedScopeFact,
  type ScopeFact,
  scopeFactToStore,
  type ScopeState,
  scopeStream,
  unknownScope,
} from "@fetch-image/core/fetching";
import type { ScopeLane } from "./scope-lane.ts";
import { withPatience, workAgain } from "./store-patience.ts";
import type { Ticker } from "./ticker.ts";

export interface ScopeLogOptions {
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
  /** Told once of each stream, when it is first met, whether there was nothing in it. */
  readonly onMet?: (isNew: boolean) => void;
}

/** A scope, and what is told to who shows one secret; `proof` is null where there is none to show. */
export interface Lineage {
  readonly scope: string;
  readonly proof: string | null;
}

/**
 * One scope's stream and its fold in memory, for those who show the same secret. It has many writers: a conflict means that
 * the fold is behind.
 *
 * A stream with a fact of a newer version is neither written nor believed: the fact may say that what stands before it
 * counts no more. What this process asks itself is then remembered in memory alone, so that its fetches still share one
 * question and one interval. Asking a registry changes nothing, and builds go on while nodes are upgraded one by one.
 */
export class ScopeLog {
  readonly #options: ScopeLogOptions;
  readonly #stream: string;
  readonly #proof: string | null;
  readonly #lane: ScopeLane | undefined;
  #state: ScopeState = unknownScope;
  /** The stream holds a fact of a newer version. */
  #aside = false;
  #isMet = false;
  #readAt = -Infinity;
  #look: Promise<void> | undefined;
  #lookNow: Promise<void> | undefined;

  /** `lane`: where other folds of this process may write to the stream. */
  constructor({ scope, proof }: Lineage, options: ScopeLogOptions, lane?: ScopeLane) {
    this.#options = options;
    this.#stream = scopeStream(scope);
    this.#proof = proof;
    this.#lane = lane;
  }

  get state(): ScopeState {
    return this.#state;
  }

  /** Whether the fold is of what stands in the stream. Until then it is a guess: that the scope is new. */
  get isMet(): boolean {
    return this.#isMet;
  }

  /** What was stored by then is in the fold; milliseconds since the epoch, by this node's clock. */
  get readAt(): number {
    return this.#readAt;
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
    if (this.#aside) return;
    const { eventLog, clock } = this.#options;
    const begunAt = clock.now();
    const from = this.#state.revision === undefined ? 0n : this.#state.revision + 1n;
    const facts = await withPatience(() => eventLog.read(this.#stream, { from }), this.#options, waitsSince);
    // Another reading may have stood aside meanwhile.
    if (this.#aside) return;
    this.#meet(facts.length === 0);
    for (const recorded of facts) {
      if (this.#state.revision !== undefined && recorded.revision <= this.#state.revision) continue;
      const newer = newerPart(recorded);
      if (newer !== undefined) {
        this.#standAside(recorded, newer);
        return;
      }
      const decoded = decodeScopeFact(recorded);
      if (decoded.known) this.#state = evolveScopeFor(this.#proof, this.#state, decoded.fact);
    }
    this.#readAt = Math.max(this.#readAt, begunAt);
  }

  #standAside({ stream, revision, type }: RecordedFact, newer: string): void {
    const what = { stream, revision: String(revision), type, newer };
    this.#options.logger.warn(
      "a scope has a fact of a newer version: its registry is asked, and nothing recorded",
      what,
    );
    this.#aside = true;
    this.#state = unknownScope;
  }

  /** Appends behind the fold what it calls for; false, with the fold read on, where another writer was first. */
  append(factsFor: FactsFor, buildId: string, at: number): Promise<boolean> {
    const lane = this.#lane;
    if (lane === undefined) return this.#append(factsFor, buildId, at);
    const before = this.#state;
    // Who waits for his turn has no patience left for a store that was away all the time.
    const waitsSince = this.#options.clock.now();
    return lane.run(async () => {
      if (lane.revision > (this.#state.revision ?? -1n)) await this.readOn(waitsSince);
      // What others were told changes nothing for who shows this secret.
      if (!isAsBefore(before, this.#state)) return false;
      const isStored = await this.#append(factsFor, buildId, at, waitsSince);
      lane.reached(this.#state.revision);
      return isStored;
    });
  }

  async #append(factsFor: FactsFor, buildId: string, at: number, waitsSince?: number): Promise<boolean> {
    const { eventLog, clock, ticker } = this.#options;
    const { revision } = this.#state;
    const next = this.#next();
    const facts = factsFor(this.#state);
    const toStore = facts.map((fact) => this.#toStore(fact, buildId, at));
    await ticker.turnEnd();
    if (this.#aside) {
      this.#foldAll(facts, toStore, this.#next(), "");
      return true;
    }
    const expected: ExpectedRevision = revision ?? "no-stream";
    const begunAt = waitsSince ?? clock.now();
    const append = () => eventLog.append(this.#stream, expected, toStore);
    let appended: Appended;
    try {
      appended = await append().catch((error: unknown) => workAgain(append, { error, begunAt }, this.#options));
    } catch (error) {
      return await this.#giveWay(error, revision);
    }
    this.#meet(true);
    this.#foldAll(facts, toStore, next, appended.position);
    return true;
  }

  #toStore(fact: ScopeFact, buildId: string, at: number): NewFact {
    const { hash, node, nextNumber } = this.#options;
    // A number of its own: what this node could not store here before must not pass for what it stores now.
    const key = `${node}\n${nextNumber()}`;
    return scopeFactToStore(fact, { stream: this.#stream, key, buildId, node, at }, hash);
  }

  /** Reads on where another writer was first. */
  async #giveWay(error: unknown, revision: bigint | undefined): Promise<boolean> {
    if (!FetchImageError.is(error) || error.code !== "FI_WRONG_EXPECTED_REVISION") throw error;
    await this.readOn();
    // A conflict that leaves nothing to read on would be met for ever.
    if (!this.#aside && this.#state.revision === revision) throw error;
    return false;
  }

  #meet(isNew: boolean): void {
    if (this.#isMet) return;
    this.#isMet = true;
    this.#options.onMet?.(isNew);
  }

  #next(): bigint {
    return (this.#state.revision ?? -1n) + 1n;
  }

  #foldAll(facts: readonly ScopeFact[], stored: readonly NewFact[], from: bigint, position: string): void {
    let revision = from;
    for (const [index, fact] of facts.entries()) this.#fold(fact, stored[index], revision++, position);
  }

  /** The fact as it was made here: what was just written out need not be read and checked. */
  #fold(fact: ScopeFact, stored: NewFact | undefined, revision: bigint, position: string): void {
    // Somebody else's reading may have been faster than our own answer.
    if (stored === undefined || (this.#state.revision !== undefined && revision <= this.#state.revision)) return;
    const { type, data } = fact;
    const { id, metadata } = stored;
    const recorded = { type, data, id, metadata, stream: this.#stream, revision, position };
    this.#state = evolveScopeFor(this.#proof, this.#state, recorded as unknown as RecordedScopeFact);
  }
}

/** Of a state, what is to be stored on it. */
type FactsFor = (state: ScopeState) => readonly ScopeFact[];

function isAsBefore(before: ScopeState, now: ScopeState): boolean {
  const { current, claim, failure, vanished, checkedAt, calledOff } = before;
  const isAnsweredAlike = now.current === current && now.failure === failure && now.vanished === vanished;
  return isAnsweredAlike && now.claim === claim && now.checkedAt === checkedAt && now.calledOff === calledOff;
}

const lookMs = 250;
