import {
  decodeRegistryFact,
  evolveRegistry,
  FetchImageError,
  formatTime,
  healthyRegistry,
  newerPart,
  type RecordedRegistryFact,
  type RegistryFact,
  type RegistryFactAt,
  registryFactToStore,
  type RegistryState,
  registryStream,
} from "@fetch-image/core/fetching";
import type { StreamOptions } from "./scope-stream.ts";
import { withPatience } from "./store-patience.ts";
import { untilHere } from "./until-here.ts";

/**
 * The stream of one registry and identity, and its fold in memory. What this process learned counts at once, stored or not;
 * what others did, once it is read.
 */
export class RegistryLog {
  readonly #stream: string;
  readonly #options: StreamOptions;
  #stored: RegistryState = healthyRegistry;
  #revision: bigint | undefined;
  #isRead = false;
  /** The stream holds a fact of a newer version: it is not written, and what is learned here counts here alone. */
  #isAside = false;
  /** Learned here, and not yet acknowledged. */
  #ahead: readonly RegistryFactAt[] = [];
  #state: RegistryState = healthyRegistry;
  #reading: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(id: string, options: StreamOptions) {
    this.#stream = registryStream(id);
    this.#options = options;
  }

  get state(): RegistryState {
    return this.#state;
  }

  /** Whether its stream was read at all. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** Folds all that was stored before the call: one read for all who ask in one turn, and in the time that one takes. */
  readOn(): Promise<void> {
    // A reading under way may have begun before what the caller must see.
    this.#next ??= (this.#reading?.catch(() => {}) ?? this.#options.ticker.turnEnd()).then(() => this.#startReading());
    return this.#next;
  }

  /** Counts at once. Resolves when it is stored, or when `isWanted`, asked of what others stored first, says it need not be. */
  async add(
    fact: RegistryFact,
    context: { readonly buildId: string; readonly at: number },
    isWanted: (stored: RegistryState) => boolean,
  ): Promise<void> {
    const here: RegistryFactAt = {
      ...fact,
      metadata: { node: this.#options.node, time: formatTime(context.at) },
    };
    this.#ahead = [...this.#ahead, here];
    this.#refold();
    await this.#inTurn(async () => {
      try {
        while (!(await this.#append(fact, context))) {
          if (!isWanted(this.#stored)) break;
        }
      } catch (error) {
        // Known here all the same.
        this.#stored = evolveRegistry(this.#stored, here);
        throw error;
      } finally {
        this.#ahead = this.#ahead.filter((each) => each !== here);
        this.#refold();
      }
    });
  }

  /** Stores what `make` gives in its turn behind what is known; false, with the rest read, where another was first. */
  claim(
    make: () =>
      { readonly fact: RegistryFact; readonly context: { readonly buildId: string; readonly at: number } } | undefined,
  ): Promise<boolean> {
    return this.#inTurn(async () => {
      const made = make();
      return made !== undefined && (await this.#append(made.fact, made.context));
    });
  }

  /** Appends of one process are made one after another: none is in another's way. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(run);
    this.#turn = result.catch(() => {});
    return result;
  }

  #startReading(): Promise<void> {
    this.#next = undefined;
    const reading = this.#read().finally(() => {
      if (this.#reading === reading) this.#reading = undefined;
    });
    this.#reading = reading;
    return reading;
  }

  async #read(): Promise<void> {
    if (this.#isAside || this.#options.isOver?.() === true) return;
    const from = this.#revision === undefined ? 0n : this.#revision + 1n;
    for (const recorded of await this.#options.eventLog.read(this.#stream, { from })) {
      if (this.#revision !== undefined && recorded.revision <= this.#revision) continue;
      const newer = newerPart(recorded);
      if (newer !== undefined) {
        const what = { stream: this.#stream, type: recorded.type, newer };
        this.#options.logger.warn("a registry has a fact of a newer version: nothing more is recorded of it", what);
        this.#isAside = true;
        break;
      }
      const decoded = decodeRegistryFact(recorded);
      if (decoded.known) this.#stored = evolveRegistry(this.#stored, this.#asSeenHere(decoded.fact));
      this.#revision = recorded.revision;
    }
    this.#isRead = true;
    this.#refold();
  }

  #asSeenHere(fact: RecordedRegistryFact): RecordedRegistryFact {
    const { clock, node } = this.#options;
    if (fact.type !== "RegistryProbed" || fact.metadata.node === node) return fact;
    const until = untilHere(fact.data.until, fact.metadata.time, clock.now());
    return { ...fact, data: { ...fact.data, until } };
  }

  async #append(
    fact: RegistryFact,
    { buildId, at }: { readonly buildId: string; readonly at: number },
  ): Promise<boolean> {
    const { eventLog, hash, isOver, node, nextNumber, ticker } = this.#options;
    await ticker.turnEnd();
    if (this.#isAside || isOver?.() === true) {
      this.#take(fact, at);
      return true;
    }
    const revision = this.#revision;
    const next = revision === undefined ? 0n : revision + 1n;
    const key = `${node}\n${nextNumber()}`;
    const toStore = registryFactToStore(fact, { stream: this.#stream, key, buildId, node, at }, hash);
    try {
      await withPatience(() => eventLog.append(this.#stream, revision ?? "no-stream", [toStore]), this.#options);
    } catch (error) {
      if (!FetchImageError.is(error) || error.code !== "FI_WRONG_EXPECTED_REVISION") throw error;
      await this.readOn();
      if (this.#isAside) return false;
      // A conflict that leaves nothing to read on would be met for ever.
      if (this.#revision === revision) throw error;
      return false;
    }
    // A reading beside it may have been faster than the answer.
    if (this.#revision === revision) {
      this.#revision = next;
      this.#take(fact, at);
    }
    return true;
  }

  #take(fact: RegistryFact, at: number): void {
    this.#stored = evolveRegistry(this.#stored, {
      ...fact,
      metadata: { node: this.#options.node, time: formatTime(at) },
    });
    this.#refold();
  }

  #refold(): void {
    this.#state = this.#ahead.reduce(evolveRegistry, this.#stored);
  }
}
