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

/** What waits to be written to one stream. */
export interface Waiting {
  readonly entry: ScopeEntry;
  readonly make: Make;
  /** What it was decided on. */
  readonly before: ScopeState;
  /** When it came; milliseconds since the epoch. */
  readonly since: number;
  readonly resolve: (isStored: boolean) => void;
  readonly reject: (error: unknown) => void;
  /** As they were made for the last attempt. */
  facts: readonly ScopeFact[];
  toStore: readonly NewFact[];
}

/**
 * One process's appends to scopes' streams, of whatever secret's askers: to each stream one after another, and what waits
 * meanwhile in one. At the same time, all but one of them would be refused, and again when they come back. What is written is
 * made when its turn comes: who has waited may want it no more, and what it says of the time holds from then on.
 */
export class ScopeWriter {
  readonly #options: StreamOptions;
  /** When the store last answered; milliseconds since the epoch. */
  #answeredAt = -Infinity;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  /** As {@link ScopeEntry.append}. */
  append(stream: ScopeStream, entry: ScopeEntry, make: Make): Promise<boolean> {
    const since = this.#options.clock.now();
    return new Promise((resolve, reject) => {
      const waiting = { entry, make, before: entry.state, since, resolve, reject, facts: [], toStore: [] };
      if (stream.queue !== undefined) {
        stream.queue.push(waiting);
        return;
      }
      stream.queue = [waiting];
      void this.#write(stream);
    });
  }

  async #write(stream: ScopeStream): Promise<void> {
    for (;;) {
      await this.#options.ticker.turnEnd();
      let batch = this.#made(stream, next(stream));
      try {
        // What others were told changes nothing for who shows another secret: he is in the next attempt.
        while (batch.length > 0 && !(await this.#append(stream, batch))) batch = this.#made(stream, batch);
      } catch (error) {
        this.#giveUp(stream, batch, error);
      }
      if (stream.queue?.length === 0) {
        stream.queue = undefined;
        return;
      }
    }
  }

  /** What is to be stored of the batch, made on the folds as they are. Whose decision does not hold any more decides again. */
  #made(stream: ScopeStream, batch: readonly Waiting[]): readonly Waiting[] {
    const writing = new Set<ScopeEntry>();
    let { latest } = stream.outline;
    return batch.filter((waiting) => {
      const { entry, make, before, resolve, reject } = waiting;
      const { state } = entry;
      try {
        const isAlone = isAsBefore(before, state) && !writing.has(entry);
        const made = isAlone ? make(state.latest === latest ? state : { ...state, latest }) : undefined;
        if (made === undefined) {
          resolve(false);
          return false;
        }
        writing.add(entry);
        waiting.facts = made.facts;
        waiting.toStore = made.facts.map((fact) => this.#toStore(fact, stream, made));
        for (const fact of made.facts) latest = latestAfter(latest, fact);
        return true;
      } catch (error) {
        reject(error);
        return false;
      }
    });
  }

  #toStore(fact: ScopeFact, { name }: ScopeStream, { buildId, at }: Writing): NewFact {
    const { hash, node, nextNumber } = this.#options;
    // A number of its own: what this node could not store here before must not pass for what it stores now.
    const key = `${node}\n${nextNumber()}`;
    return scopeFactToStore(fact, { stream: name, key, buildId, node, at }, hash);
  }

  /** False, with the folds read on, where another writer was first. */
  async #append(stream: ScopeStream, batch: readonly Waiting[]): Promise<boolean> {
    const { eventLog, clock } = this.#options;
    const { revision } = stream.outline;
    if (stream.isAside) {
      take(stream, batch, { revision, position: "" });
      return true;
    }
    const [only] = batch;
    const toStore = batch.length === 1 && only !== undefined ? only.toStore : batch.flatMap((each) => each.toStore);
    const append = () => eventLog.append(stream.name, revision ?? "no-stream", toStore);
    let appended: Appended;
    try {
      appended = await append().catch((error: unknown) => {
        return workAgain(append, { error, begunAt: this.#oldest(batch) }, this.#options);
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
    take(stream, batch, { revision, position: appended.position });
    return true;
  }

  /** Who has come while the store was away goes on waiting, for as long as those whose patience is over have. */
  #giveUp(stream: ScopeStream, batch: readonly Waiting[], error: unknown): void {
    const { isOver } = this.#options;
    const goesOn = isPassing(error) && isOver?.() !== true;
    const oldest = this.#oldest(batch);
    const patient = goesOn ? batch.filter((waiting) => this.#patientSince(waiting) > oldest) : [];
    for (const waiting of batch) {
      if (!patient.includes(waiting)) waiting.reject(error);
    }
    stream.queue?.unshift(...patient);
  }

  #oldest(batch: readonly Waiting[]): number {
    return Math.min(...batch.map((waiting) => this.#patientSince(waiting)));
  }

  /** A store that has answered since was not away all the time. */
  #patientSince({ since }: Waiting): number {
    return Math.max(since, this.#answeredAt);
  }
}

/** What goes together next. */
function next(stream: ScopeStream): readonly Waiting[] {
  const { queue = [] } = stream;
  if (queue.length > mostTogether) return queue.splice(0, mostTogether);
  stream.queue = [];
  return queue;
}

/** Folds the facts as they were made here: what was just written out need not be read and checked. */
function take(
  stream: ScopeStream,
  batch: readonly Waiting[],
  { revision: last = -1n, position }: { readonly revision: bigint | undefined; readonly position: string },
): void {
  let revision = last;
  for (const { facts, toStore, resolve } of batch) {
    for (const [index, { type, data }] of facts.entries()) {
      const { id, metadata } = toStore[index] as NewFact;
      const recorded = { type, data, id, metadata, stream: stream.name, revision: ++revision, position };
      stream.fold(recorded as unknown as RecordedScopeFact);
    }
    resolve(true);
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
