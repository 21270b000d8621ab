import { setTimeout as sleep } from "node:timers/promises";
import {
  type EventLog,
  FetchImageError,
  type ReadModel,
  type SubscribeOptions,
  type SubscriptionMessage,
} from "@fetch-image/core/fetching";
import { pause, untilAborted } from "../facts/abort.ts";
import { logClosed } from "../facts/errors.ts";
import { connectToHolder } from "../readers/remote-store.ts";
import type { ReadableStore } from "../readers/serve-readers.ts";
import { currentHolder, type Holder, locked } from "./directory-lock.ts";
import { type HoldingOptions, holdStore } from "./holding-store.ts";
import { hasDatabase } from "./open-database.ts";

/** How long a holder may take to answer, in turns of `betweenTurnsMs`. Opening a store for the first time takes seconds. */
const turns = 400;
const betweenTurnsMs = 50;
/**
 * How long a question is asked anew where whoever answers goes: several that read at once may hold the directory one after
 * another, each for as long as it lives.
 */
const changingHandsMs = 10_000;
/** How long a reader that gave way leaves the directory alone, so that the one who asked gets it. */
const standBackMs = 1_000;

/** Where reads go for now: another process, or the store opened here. */
interface Backing extends ReadableStore {
  /** Undefined where this process holds the directory. */
  readonly holder?: Holder;
  close(): Promise<void>;
}

/**
 * A store for reading, whoever holds it: through the holder's socket while there is one, else by holding the directory
 * itself until a writer asks for it. When a holder goes, the next question finds the next one, or opens the store;
 * subscriptions go on where they were.
 */
export class ReadingStore implements ReadableStore {
  readonly eventLog: EventLog;
  readonly readModel: ReadModel;
  readonly #options: Omit<HoldingOptions, "access" | "giveWay">;
  #backing: Promise<Backing> | undefined;
  #standBackUntil = -Infinity;
  #closed = false;

  private constructor(options: Omit<HoldingOptions, "access" | "giveWay">) {
    this.#options = options;
    this.eventLog = this.#makeEventLog();
    this.readModel = this.#makeReadModel();
  }

  static async open(options: Omit<HoldingOptions, "access" | "giveWay">): Promise<ReadingStore> {
    const store = new ReadingStore(options);
    await store.#current();
    return store;
  }

  /** Undefined while this process holds the directory itself. */
  async holder(): Promise<Holder | undefined> {
    return (await this.#current()).holder;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const backing = await this.#backing?.catch(() => undefined);
    await backing?.close();
  }

  #current(): Promise<Backing> {
    if (this.#closed) return Promise.reject(logClosed());
    if (this.#backing === undefined) {
      const backing = this.#find();
      this.#backing = backing;
      backing.catch(() => this.#drop(backing));
    }
    return this.#backing;
  }

  #drop(backing: Promise<Backing>): void {
    if (this.#backing === backing) this.#backing = undefined;
  }

  async #find(): Promise<Backing> {
    const { directory } = this.#options;
    let refused: unknown;
    for (let turn = 0; turn < turns; turn++) {
      const holder = await currentHolder(directory).catch(() => undefined);
      try {
        if (holder !== undefined) return await connected(directory, holder);
        if (!hasDatabase(directory)) throw nothingThere(directory);
        if (performance.now() >= this.#standBackUntil) return await this.#hold();
      } catch (error) {
        // Whoever it was may have gone, or come, in between.
        if (!FetchImageError.is(error) || !isBetween(error)) throw error;
        refused = error;
      }
      await sleep(betweenTurnsMs);
      if (this.#closed) throw logClosed();
    }
    throw refused;
  }

  async #hold(): Promise<Backing> {
    const giveWay = (): boolean => {
      const backing = this.#backing;
      this.#backing = undefined;
      this.#standBackUntil = Infinity;
      const leave = async (): Promise<void> => {
        await (await backing)?.close();
        this.#standBackUntil = performance.now() + standBackMs;
      };
      // After the answer is on its way.
      if (backing !== undefined) setImmediate(() => void leave());
      return true;
    };
    return holdStore({ ...this.#options, access: "read", giveWay });
  }

  // Every question is safe to ask again: reads, and projections that compare the checkpoint.
  async #ask<T>(question: (store: ReadableStore) => Promise<T>): Promise<T> {
    const until = performance.now() + changingHandsMs;
    for (;;) {
      const current = this.#current();
      const backing = await current;
      try {
        return await question(backing);
      } catch (error) {
        if (!isGone(error) || performance.now() >= until || this.#closed) throw error;
        this.#drop(current);
        await sleep(betweenTurnsMs);
      }
    }
  }

  #makeEventLog(): EventLog {
    const { directory } = this.#options;
    return {
      append: async () => {
        const { holder } = await this.#current();
        throw holder === undefined ? openForReading(directory) : locked(directory, holder);
      },
      read: (stream, options) => this.#ask(({ eventLog }) => eventLog.read(stream, options)),
      readAll: (options) => this.#ask(({ eventLog }) => eventLog.readAll(options)),
      subscribe: (options) => this.#subscribe(options),
      close: () => this.close(),
    };
  }

  async *#subscribe(options: SubscribeOptions): AsyncGenerator<SubscriptionMessage, void> {
    let { after } = options;
    while (!options.signal.aborted) {
      const current = this.#current();
      const backing = await untilAborted(current, options.signal);
      if (backing === undefined) return;
      const { eventLog } = backing;
      try {
        for await (const message of eventLog.subscribe({ ...options, ...(after === undefined ? {} : { after }) })) {
          after = (message.kind === "fact" ? message.fact.position : message.position) ?? after;
          yield message;
        }
        return;
      } catch (error) {
        if (!isGone(error) || this.#closed) throw error;
        this.#drop(current);
        await pause(betweenTurnsMs, options.signal);
      }
    }
  }

  #makeReadModel(): ReadModel {
    return {
      checkpoint: () => this.#ask(({ readModel }) => readModel.checkpoint()),
      apply: (changes, move) => this.#ask(({ readModel }) => readModel.apply(changes, move)),
      reset: () => this.#ask(({ readModel }) => readModel.reset()),
      build: (buildId) => this.#ask(({ readModel }) => readModel.build(buildId)),
      builds: (query) => this.#ask(({ readModel }) => readModel.builds(query)),
      imagesOfBuild: (buildId) => this.#ask(({ readModel }) => readModel.imagesOfBuild(buildId)),
      images: (filter, page) => this.#ask(({ readModel }) => readModel.images(filter, page)),
      scope: (scope) => this.#ask(({ readModel }) => readModel.scope(scope)),
      scopes: (filter) => this.#ask(({ readModel }) => readModel.scopes(filter)),
      everyScope: (page) => this.#ask(({ readModel }) => readModel.everyScope(page)),
      versions: (scope) => this.#ask(({ readModel }) => readModel.versions(scope)),
      observations: (filter, page) => this.#ask(({ readModel }) => readModel.observations(filter, page)),
      stays: (scope, page) => this.#ask(({ readModel }) => readModel.stays(scope, page)),
      droppedBefore: () => this.#ask(({ readModel }) => readModel.droppedBefore()),
      close: () => this.close(),
    };
  }
}

async function connected(directory: string, holder: Holder): Promise<Backing> {
  const remote = await connectToHolder({ directory, socket: holder.socket }, () => locked(directory, holder));
  return { ...remote, holder };
}

function isBetween(error: FetchImageError): boolean {
  return error.code === "FI_STORE_UNAVAILABLE" || error.code === "FI_STORE_LOCKED";
}

function isGone(error: unknown): boolean {
  return FetchImageError.is(error) && error.code === "FI_STORE_UNAVAILABLE";
}

function nothingThere(directory: string): FetchImageError {
  return new FetchImageError("FI_STORE_UNREADABLE", {
    message: `there is no store in ${directory}`,
    hint: "Check --data; whatever writes makes a store there first.",
    details: { directory },
  });
}

function openForReading(directory: string): FetchImageError {
  return new FetchImageError("FI_STORE_LOCKED", {
    message: `${directory} is open for reading only`,
    hint: "Open it for writing.",
    retryable: false,
    details: { directory },
  });
}
