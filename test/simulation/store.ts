import {
  type Appended,
  type EventLog,
  type ExpectedRevision,
  FetchImageError,
  type FetchImageErrorCode,
  nameUuid,
  type NewFact,
  type ReadModel,
  type ReadModelChanges,
  type RecordedFact,
  type SubscribeOptions,
  type SubscriptionMessage,
} from "@fetch-image/core";
import { nodeHash } from "@fetch-image/engine";
import { createMemoryEventLog, createMemoryReadModel } from "@fetch-image/store/memory";
import { handingOn } from "../support/handing-on.ts";
import { SimulatedNode } from "./node.ts";
import type { World } from "./world.ts";

/** How often something goes wrong between a process and the store, of a thousand requests each. */
export interface StoreFaults {
  /** Slow, by up to two seconds. */
  readonly slow: number;
  /** Refused before anything is written. */
  readonly refused: number;
  /** Written, and the answer is lost. */
  readonly answerLost: number;
  /** Lost on its way: nothing is written, and nobody can tell. */
  readonly requestLost: number;
  /** Given up by the client, and written later. */
  readonly late: number;
  /** Delivered twice. */
  readonly doubled: number;
  readonly full: number;
}

export const noStoreFaults: StoreFaults = {
  slow: 0,
  refused: 0,
  answerLost: 0,
  requestLost: 0,
  late: 0,
  doubled: 0,
  full: 0,
};

/** Who wants to know what happens in the store. */
export interface StoreWitness {
  /** New facts stand in the log. */
  stored(facts: readonly RecordedFact[], by: SimulatedNode): void;
  /** The process knows that its facts stand there, the last of them at this revision. */
  acknowledged(append: Acknowledged): void;
  /** The process has read the stream up to this revision. */
  read(stream: string, revision: bigint, by: SimulatedNode): void;
}

export interface Acknowledged {
  readonly stream: string;
  readonly facts: readonly NewFact[];
  /** Of the last fact. */
  readonly revision: bigint;
  readonly by: SimulatedNode;
}

type Fate = Exclude<keyof StoreFaults, "slow"> | "taken";

/** One event log and one read model for all processes, each of which reaches them over a network of its own. */
export class SimulatedStore {
  readonly log: EventLog = createMemoryEventLog();
  readonly readModel: ReadModel = createMemoryReadModel();
  faults: StoreFaults = noStoreFaults;
  readonly #world: World;
  readonly #witness: StoreWitness;
  readonly #lengths = new Map<string, bigint>();
  readonly #newer: SimulatedNode;
  #awayUntil = 0;
  readonly #changes = new Changes();

  constructor(world: World, witness: StoreWitness) {
    this.#world = world;
    this.#witness = witness;
    this.#newer = new SimulatedNode(world, "newer", 0);
  }

  /** Nobody reaches the store for so long. */
  goAway(ms: number): void {
    this.#awayUntil = this.#world.now() + ms;
  }

  /** A process of a newer version writes what only it understands behind all that some stream has. */
  upgrade(): void {
    const { random } = this.#world;
    const streams = [...this.#lengths.keys()];
    if (streams.length > 0) void this.#upgrade(random.pick(streams), random.pick(["type", "schema"]));
  }

  comeBack(): void {
    this.#awayUntil = 0;
  }

  connect(node: SimulatedNode): { readonly eventLog: EventLog; readonly readModel: ReadModel } {
    return { eventLog: this.#eventLog(node), readModel: this.#readModel(node) };
  }

  async #upgrade(stream: string, how: "type" | "schema"): Promise<void> {
    const [last] = await this.log.read(stream, { direction: "backwards", limit: 1 });
    if (last === undefined) return;
    const { revision, type, data, metadata } = last;
    const id = nameUuid(`newer ${stream}@${revision}`, nodeHash);
    const fact =
      how === "type"
        ? { id, type: "ImageScanned", data: { verdict: ["clean"] }, metadata }
        : { id, type, data, metadata: { ...metadata, schema: 2 } };
    await this.#write(this.#newer, stream, revision, [fact]);
  }

  #eventLog(node: SimulatedNode): EventLog {
    const world = this.#world;
    const readAll: EventLog["readAll"] = (options) => this.#ask(node, () => this.log.readAll(options));
    return {
      append: (stream, expected, facts) => this.#append(node, stream, expected, facts),
      read: async (stream, options) => {
        const facts = await this.#ask(node, () => this.log.read(stream, options));
        const last = options?.direction === "backwards" ? facts[0] : facts.at(-1);
        if (last !== undefined) this.#witness.read(stream, last.revision, node);
        return facts;
      },
      readAll,
      subscribe: (options) => this.#subscribe(node, options, readAll),
      close: async () => {
        world.touch();
      },
    };
  }

  #readModel(node: SimulatedNode): ReadModel {
    const { readModel } = this;
    return {
      ...handingOn(readModel),
      checkpoint: () => this.#ask(node, () => readModel.checkpoint()),
      apply: async (changes: ReadModelChanges, move) => {
        const isAnswerLost = this.#world.random.rarely(this.faults.answerLost);
        const outcome = await this.#ask(node, () => readModel.apply(changes, move));
        if (!isAnswerLost) return outcome;
        this.#world.fault(node.name, "read model: answer lost");
        throw error("FI_STORE_UNAVAILABLE");
      },
    };
  }

  /** A question, answered or refused. */
  async #ask<T>(node: SimulatedNode, perform: () => Promise<T>): Promise<T> {
    const world = this.#world;
    world.touch();
    node.asks("the store");
    const isRefused = world.random.rarely(this.faults.refused);
    await world.delay(this.#travel());
    if (isRefused || this.#isAway()) {
      world.fault(node.name, "read refused");
      await node.arrival(this.#travel());
      throw error("FI_STORE_UNAVAILABLE");
    }
    const answer = await perform();
    await node.arrival(this.#travel());
    world.touch();
    return answer;
  }

  async #append(
    node: SimulatedNode,
    stream: string,
    expected: ExpectedRevision,
    facts: readonly NewFact[],
  ): Promise<Appended> {
    const world = this.#world;
    world.touch();
    node.asks("the store");
    const fate = this.#fate();
    // What is under way arrives, whatever becomes of the one who sent it.
    await world.delay(this.#travel());
    const write = () => this.#write(node, stream, expected, facts);
    const actual: Fate = this.#isAway() ? (world.random.rarely(500) ? "refused" : "requestLost") : fate;
    if (actual !== "taken") world.fault(node.name, `append to ${stream}: ${actual}`);
    switch (actual) {
      case "refused":
        await node.arrival(this.#travel());
        throw error("FI_STORE_UNAVAILABLE");
      case "full":
        await node.arrival(this.#travel());
        throw error("FI_STORE_FULL");
      case "answerLost":
        await write().catch(() => {});
        await node.arrival(this.#travel() + 1000);
        throw error("FI_APPEND_OUTCOME_UNKNOWN");
      case "requestLost":
        await node.arrival(this.#travel() + 1000);
        throw error("FI_APPEND_OUTCOME_UNKNOWN");
      case "late":
        world.after(world.random.between(1, 20_000), () => {
          write().catch(() => {});
        });
        await node.arrival(this.#travel() + 1000);
        throw error("FI_APPEND_OUTCOME_UNKNOWN");
      case "doubled":
        world.after(world.random.between(0, 5000), () => {
          write().catch(() => {});
        });
        break;
      case "taken":
    }
    const outcome = await settled(write());
    await node.arrival(this.#travel());
    world.touch();
    if (!outcome.ok) throw outcome.error;
    this.#witness.acknowledged({ stream, facts, revision: outcome.value.revision, by: node });
    return outcome.value;
  }

  async #write(
    node: SimulatedNode,
    stream: string,
    expected: ExpectedRevision,
    facts: readonly NewFact[],
  ): Promise<Appended> {
    this.#world.touch();
    const before = this.#lengths.get(stream) ?? 0n;
    const appended = await this.log.append(stream, expected, facts);
    if (appended.revision >= before) {
      this.#lengths.set(stream, appended.revision + 1n);
      this.#witness.stored(await this.log.read(stream, { from: before }), node);
      this.#changes.tell();
    }
    return appended;
  }

  async *#subscribe(
    node: SimulatedNode,
    { after, filter, signal }: SubscribeOptions,
    readAll: EventLog["readAll"],
  ): AsyncGenerator<SubscriptionMessage, void> {
    const changes = this.#changes;
    let onAbort = (): void => {};
    const aborted = new Promise<void>((resolve) => (onAbort = resolve));
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      for (let from = after; !signal.aborted;) {
        const seen = changes.count;
        const page = await readAll({
          ...(from === undefined ? {} : { after: from }),
          ...(filter === undefined ? {} : { filter }),
          limit: 100,
        });
        for (const fact of page.facts) yield { kind: "fact", fact };
        from = page.next ?? from;
        if (!page.end) continue;
        yield { kind: "caught-up", position: from };
        await Promise.race([changes.after(seen), aborted]);
        await node.arrival(this.#travel());
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #fate(): Fate {
    const { random } = this.#world;
    for (const fate of ["refused", "answerLost", "requestLost", "late", "doubled", "full"] as const) {
      if (random.rarely(this.faults[fate])) return fate;
    }
    return "taken";
  }

  #travel(): number {
    const { random } = this.#world;
    return random.rarely(this.faults.slow) ? random.between(0, 2000) : random.between(0, 5);
  }

  #isAway(): boolean {
    return this.#world.now() < this.#awayUntil;
  }
}

/** Wakes who waits for the log to grow. */
class Changes {
  count = 0;
  #waiting: (() => void)[] = [];

  tell(): void {
    this.count++;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Resolves once there are more than `seen`. */
  after(seen: number): Promise<void> {
    if (this.count > seen) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

function error(code: FetchImageErrorCode): FetchImageError {
  return new FetchImageError(code);
}

type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

function settled<T>(promise: Promise<T>): Promise<Settled<T>> {
  return promise.then(
    (value) => ({ ok: true, value }),
    (thrown: unknown) => ({ ok: false, error: thrown }),
  );
}
