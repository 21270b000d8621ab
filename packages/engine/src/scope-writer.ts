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
import { isPassing, withPatience, workAgain } from "./store-patience.ts";

/** What is to be written to a scope's stream on a state; undefined where there is nothing to be written any more. */
export type Make = (state: ScopeState) => Writing | undefined;

export interface Writing {
  readonly facts: readonly ScopeFact[];
  readonly buildId: string;
  /** Of what the facts tell; milliseconds since the epoch. */
  readonly at: number;
}

interface Due {
  readonly entry: ScopeEntry;
  readonly make: Make;
  /** What it was decided on. */
  readonly before: ScopeState;
  /** When it came; milliseconds since the epoch. */
  readonly since: number;
  /** As they were made for the last attempt. */
  facts: readonly ScopeFact[];
  toStore: readonly NewFact[];
}

/** What waits for its turn. */
export interface Waiting extends Due {
  readonly resolve: (isStored: boolean) => void;
  readonly reject: (error: unknown) => void;
}

type Stored = Pick<Appended, "position">;

/** Of what is remembered in memory alone. */
const nowhere: Stored = { position: "" };

interface Failed {
  readonly error: unknown;
  /** Behind which fact it was to be stored. */
  readonly revision: bigint | undefined;
}

/** Where facts were stored: behind which one, and at which position. */
interface Behind {
  readonly revision: bigint | undefined;
  readonly position: string;
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
    const due: Due = { entry, make, before: entry.state, since, facts: [], toStore: [] };
    const { queue } = stream;
    if (queue === undefined) return this.#appendAlone(stream, due);
    return new Promise((resolve, reject) => {
      queue.push({ ...due, resolve, reject });
    });
  }

  /** As is usual: nothing else is being written, and what only a queue needs is not made. */
  async #appendAlone(stream: ScopeStream, due: Due): Promise<boolean> {
    stream.queue = [];
    await this.#options.ticker.turnEnd();
    const { revision, latest } = stream.outline;
    try {
      const isMade = this.#make(stream, due, latest);
      if (isMade) {
        const { position } = await this.#send(stream, revision, due.toStore);
        this.#take(stream, due, { revision, position });
      }
      this.#goOn(stream);
      return isMade;
    } catch (error) {
      return await new Promise((resolve, reject) => {
        void this.#storeAndGoOn(stream, [{ ...due, resolve, reject }], { error, revision });
      });
    }
  }

  #goOn(stream: ScopeStream): void {
    if (stream.queue?.length === 0) stream.queue = undefined;
    else void this.#writeQueue(stream);
  }

  async #writeQueue(stream: ScopeStream): Promise<void> {
    await this.#options.ticker.turnEnd();
    const batch = stream.queue?.splice(0, mostTogether) ?? [];
    await this.#storeAndGoOn(stream, this.#made(stream, batch));
  }

  async #storeAndGoOn(stream: ScopeStream, batch: readonly Waiting[], failed?: Failed): Promise<void> {
    await this.#store(stream, batch, failed);
    this.#goOn(stream);
  }

  /** Until all are told. `failed`: a first attempt. */
  async #store(stream: ScopeStream, batch: readonly Waiting[], failed?: Failed): Promise<void> {
    let [left, first] = [batch, failed];
    while (left.length > 0) {
      // What the store did not say it stored is repeated behind the same fact, whatever has been read since.
      const { revision } = first ?? stream.outline;
      const toStore = left.flatMap((waiting) => waiting.toStore);
      const send = () => this.#send(stream, revision, toStore);
      const begunAt = this.#oldest(left);
      try {
        const { position } =
          first === undefined
            ? await withPatience(send, this.#options, begunAt)
            : await workAgain(send, { error: first.error, begunAt }, this.#options);
        let before = revision;
        for (const due of left) before = this.#take(stream, due, { revision: before, position });
        for (const { resolve } of left) resolve(true);
        return;
      } catch (error) {
        // What others were told changes nothing for who shows another secret: he is in the next attempt.
        left = await this.#afterFailure(stream, left, { error, revision });
        // In one go with the next attempt: else it could be made on one state and stored behind another.
        left = this.#made(stream, left);
        first = undefined;
      }
    }
  }

  /** What is to be stored all the same, with the folds read on, where another writer was first. */
  async #afterFailure(
    stream: ScopeStream,
    batch: readonly Waiting[],
    { error, revision }: Failed,
  ): Promise<readonly Waiting[]> {
    try {
      if (!FetchImageError.is(error) || error.code !== "FI_WRONG_EXPECTED_REVISION") throw error;
      this.#answeredAt = this.#options.clock.now();
      await stream.readOn();
      // A conflict that leaves nothing to read on would be met for ever.
      if (!stream.isAside && stream.outline.revision === revision) throw error;
      return batch;
    } catch (failure) {
      this.#giveUp(stream, batch, failure);
      return [];
    }
  }

  /** What is to be stored of the batch, made on the folds as they are. Whose decision does not hold any more decides again. */
  #made(stream: ScopeStream, batch: readonly Waiting[]): readonly Waiting[] {
    const made: Waiting[] = [];
    let { latest } = stream.outline;
    for (const waiting of batch) {
      try {
        const isFirst = made.every(({ entry }) => entry !== waiting.entry);
        if (isFirst && this.#make(stream, waiting, latest)) {
          made.push(waiting);
          for (const fact of waiting.facts) latest = latestAfter(latest, fact);
        } else {
          waiting.resolve(false);
        }
      } catch (error) {
        waiting.reject(error);
      }
    }
    return made;
  }

  /** `latest`: what the scope will stand at when what goes before it is stored. */
  #make(stream: ScopeStream, due: Due, latest: ScopeState["latest"]): boolean {
    const { state } = due.entry;
    if (!isAsBefore(due.before, state)) return false;
    const writing = due.make(state.latest === latest ? state : { ...state, latest });
    if (writing === undefined) return false;
    due.facts = writing.facts;
    due.toStore = writing.facts.map((fact) => this.#toStore(fact, stream, writing));
    return true;
  }

  #toStore(fact: ScopeFact, { name }: ScopeStream, { buildId, at }: Writing): NewFact {
    const { hash, node, nextNumber } = this.#options;
    // A number of its own: what this node could not store here before must not pass for what it stores now.
    const key = `${node}\n${nextNumber()}`;
    return scopeFactToStore(fact, { stream: name, key, buildId, node, at }, hash);
  }

  #send(stream: ScopeStream, revision: bigint | undefined, toStore: readonly NewFact[]): Promise<Stored> {
    if (stream.isAside) return Promise.resolve(nowhere);
    return this.#options.eventLog.append(stream.name, revision ?? "no-stream", toStore);
  }

  /** Folds the facts as they were made here: what was just written out need not be read and checked. Gives the last revision. */
  #take(stream: ScopeStream, { facts, toStore }: Due, behind: Behind): bigint {
    const { position } = behind;
    this.#answeredAt = this.#options.clock.now();
    stream.meet(true);
    let revision = behind.revision ?? -1n;
    for (let index = 0; index < facts.length; index++) {
      const { type, data } = facts[index] as ScopeFact;
      const { id, metadata } = toStore[index] as NewFact;
      const recorded = { type, data, id, metadata, stream: stream.name, revision: ++revision, position };
      stream.fold(recorded as unknown as RecordedScopeFact);
    }
    return revision;
  }

  /** Who has come while the store was away goes on waiting, for as long as those whose patience is over have. */
  #giveUp(stream: ScopeStream, batch: readonly Waiting[], error: unknown): void {
    const oldest = this.#oldest(batch);
    const goesOn = isPassing(error) && this.#options.isOver?.() !== true;
    const patient = goesOn ? batch.filter((waiting) => this.#patientSince(waiting) > oldest) : [];
    for (const waiting of batch) {
      if (!patient.includes(waiting)) waiting.reject(error);
    }
    stream.queue?.unshift(...patient);
  }

  #oldest(batch: readonly Due[]): number {
    return Math.min(...batch.map((due) => this.#patientSince(due)));
  }

  /** A store that has answered since was not away all the time. */
  #patientSince({ since }: Due): number {
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
