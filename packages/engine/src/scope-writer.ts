import {
  type Appended,
  FetchImageError,
  type NewFact,
  type RecordedScopeFact,
  type ScopeFact,
  scopeFactToStore,
  type ScopeState,
} from "@fetch-image/core/fetching";
import type { ScopeEntry } from "./scope-entry.ts";
import type { ScopeStream, StreamOptions } from "./scope-stream.ts";
import { isPassing, workAgain } from "./store-patience.ts";

/** What is to be written to a scope's stream on a state; undefined where there is nothing to be written any more. */
export type Make = (state: ScopeState) => Writing | undefined;

export interface Writing {
  readonly facts: readonly ScopeFact[];
  readonly buildId: string;
  /** Of what the facts tell; milliseconds since the epoch. */
  readonly at: number;
}

interface Waiting {
  readonly entry: ScopeEntry;
  readonly make: Make;
  /** What it was decided on. */
  readonly before: ScopeState;
  /** When it came; milliseconds since the epoch. */
  readonly since: number;
  readonly resolve: (isStored: boolean) => void;
  readonly reject: (error: unknown) => void;
}

interface Made {
  readonly waiting: Waiting;
  readonly facts: readonly ScopeFact[];
  readonly toStore: readonly NewFact[];
}

/**
 * One process's appends to a scope's stream, of whatever secret's askers: one after another, and what waits meanwhile in one.
 * At the same time, all but one of them would be refused, and again when they come back. What is written is made when its
 * turn comes: who has waited may want it no more, and what it says of the time holds from then on.
 */
export class ScopeWriter {
  readonly #stream: ScopeStream;
  readonly #options: StreamOptions;
  #queue: Waiting[] = [];
  #isWriting = false;
  /** When the store last answered; milliseconds since the epoch. */
  #answeredAt = -Infinity;

  constructor(stream: ScopeStream, options: StreamOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  /** As {@link ScopeEntry.append}. */
  append(entry: ScopeEntry, make: Make): Promise<boolean> {
    const since = this.#options.clock.now();
    return new Promise((resolve, reject) => {
      this.#queue.push({ entry, make, before: entry.state, since, resolve, reject });
      if (!this.#isWriting) void this.#write();
    });
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#queue.length > 0) {
      await this.#options.ticker.turnEnd();
      let made = this.#make(this.#next());
      try {
        // What others were told changes nothing for who shows another secret: he is in the next attempt.
        while (made.length > 0 && !(await this.#append(made))) made = this.#make(made.map(({ waiting }) => waiting));
      } catch (error) {
        this.#giveUp(made, error);
      }
    }
    this.#isWriting = false;
    this.#stream.wroteAll();
  }

  #next(): readonly Waiting[] {
    if (this.#queue.length > mostTogether) return this.#queue.splice(0, mostTogether);
    const all = this.#queue;
    this.#queue = [];
    return all;
  }

  /** What is to be stored of the batch, on the folds as they are. Whose decision does not hold any more decides again. */
  #make(batch: readonly Waiting[]): Made[] {
    const made: Made[] = [];
    const entries = batch.length > 1 ? new Set<ScopeEntry>() : undefined;
    let { latest } = this.#stream.outline;
    for (const waiting of batch) {
      const { entry, make, before, resolve, reject } = waiting;
      const { state } = entry;
      if (!isAsBefore(before, state) || entries?.has(entry) === true) {
        resolve(false);
        continue;
      }
      try {
        const writing = make(state.latest === latest ? state : { ...state, latest });
        if (writing === undefined) {
          resolve(false);
          continue;
        }
        entries?.add(entry);
        made.push({
          waiting,
          facts: writing.facts,
          toStore: writing.facts.map((fact) => this.#toStore(fact, writing)),
        });
        for (const fact of writing.facts) latest = latestAfter(latest, fact);
      } catch (error) {
        reject(error);
      }
    }
    return made;
  }

  #toStore(fact: ScopeFact, { buildId, at }: Writing): NewFact {
    const { hash, node, nextNumber } = this.#options;
    // A number of its own: what this node could not store here before must not pass for what it stores now.
    const key = `${node}\n${nextNumber()}`;
    return scopeFactToStore(fact, { stream: this.#stream.name, key, buildId, node, at }, hash);
  }

  /** False, with the folds read on, where another writer was first. */
  async #append(made: readonly Made[]): Promise<boolean> {
    const stream = this.#stream;
    const { eventLog, clock } = this.#options;
    const { revision } = stream.outline;
    if (stream.isAside) {
      this.#take(made, { revision, position: "" });
      return true;
    }
    const [only] = made;
    const toStore = made.length === 1 && only !== undefined ? only.toStore : made.flatMap((each) => each.toStore);
    const append = () => eventLog.append(stream.name, revision ?? "no-stream", toStore);
    let appended: Appended;
    try {
      appended = await append().catch((error: unknown) => {
        return workAgain(append, { error, begunAt: this.#oldest(made) }, this.#options);
      });
    } catch (error) {
      if (!FetchImageError.is(error) || error.code !== "FI_WRONG_EXPECTED_REVISION") throw error;
      this.#answeredAt = clock.now();
      await stream.readOn();
      // A conflict that leaves nothing to read on would be met for ever.
      if (!stream.isAside && stream.outline.revision === revision) throw error;
      return false;
    }
    this.#answeredAt = clock.now();
    stream.meet(true);
    this.#take(made, { revision, position: appended.position });
    return true;
  }

  /** The facts as they were made here: what was just written out need not be read and checked. */
  #take(
    made: readonly Made[],
    { revision: last = -1n, position }: { readonly revision: bigint | undefined; readonly position: string },
  ): void {
    const stream = this.#stream;
    let revision = last;
    for (const { waiting, facts, toStore } of made) {
      for (const [index, { type, data }] of facts.entries()) {
        const { id, metadata } = toStore[index] as NewFact;
        const recorded = { type, data, id, metadata, stream: stream.name, revision: ++revision, position };
        stream.fold(recorded as unknown as RecordedScopeFact);
      }
      waiting.resolve(true);
    }
  }

  /** Who has come while the store was away goes on waiting, for as long as those whose patience is over have. */
  #giveUp(made: readonly Made[], error: unknown): void {
    const { isOver } = this.#options;
    const goesOn = isPassing(error) && isOver?.() !== true;
    const oldest = this.#oldest(made);
    const patient: Waiting[] = [];
    for (const { waiting } of made) {
      if (goesOn && this.#patientSince(waiting) > oldest) patient.push(waiting);
      else waiting.reject(error);
    }
    this.#queue = [...patient, ...this.#queue];
  }

  #oldest(made: readonly Made[]): number {
    return Math.min(...made.map(({ waiting }) => this.#patientSince(waiting)));
  }

  /** A store that has answered since was not away all the time. */
  #patientSince({ since }: Waiting): number {
    return Math.max(since, this.#answeredAt);
  }
}

function isAsBefore(before: ScopeState, now: ScopeState): boolean {
  const { current, claim, failure, vanished, checkedAt, calledOff } = before;
  const isAnsweredAlike = now.current === current && now.failure === failure && now.vanished === vanished;
  return isAnsweredAlike && now.claim === claim && now.checkedAt === checkedAt && now.calledOff === calledOff;
}

function latestAfter(latest: ScopeState["latest"], fact: ScopeFact): ScopeState["latest"] {
  if (fact.type === "VersionObserved") return fact.data.version;
  return fact.type === "VersionVanished" ? null : latest;
}

/** At some 1 kB a claim, with what stores take at once far off. */
const mostTogether = 50;
